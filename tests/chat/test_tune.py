"""From dialogues to a model that answers in its template."""

import json
from pathlib import Path

from transformers import AutoTokenizer

from nativize.artifact import standalone
from nativize.chat.tune import train_sft
from nativize.model.merge import merge_checkpoints
from nativize.recipe import Chat
from nativize.train.metrics import read_metrics
from nativize.train.run import run_job
from tests.chat.test_samples import make_data
from tests.model.tiny import TRAINER, Tiny


def test_a_tuned_model_carries_its_template_and_has_learned(tiny: Tiny, tmp_path: Path) -> None:
    dialogues = [
        [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "京都では、桜。"}]
        for n in range(40)
    ]
    data = make_data(tmp_path / "data", "alpaca", dialogues)
    chat = Chat.model_validate(
        {"path": "*", "epochs": 3, "batch_samples": 8, "learning_rate": 1e-2, "maximum_tokens": 256}
        | {"lora": {"rank": 8, "alpha": 16}}
    )
    with standalone(tmp_path / "sft") as place:
        report = train_sft(tiny.extended, data, place, chat=chat, trainer=TRAINER, launch=run_job)
    lines = read_metrics(tmp_path / "sft" / "metrics.jsonl")
    assert lines[-1]["loss"] < lines[0]["loss"] - 1
    assert report.metrics["steps"] == -(-3 * report.metrics["samples"] // 8)
    with standalone(tmp_path / "model") as place:
        merge_checkpoints(tiny.extended, [tmp_path / "sft"], place)
    template = json.loads((data / "template.json").read_text())["chat_template"]
    assert AutoTokenizer.from_pretrained(tmp_path / "model").chat_template == template
