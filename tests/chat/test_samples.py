"""What the loss falls on: the answers and their end, as the template writes them."""

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from nativize.artifact import standalone
from nativize.chat.instruction import make_instruction_data
from nativize.chat.samples import IGNORED, ChatSamples
from nativize.chat.template import TEMPLATES as JINJA
from nativize.chat.template import plain_teller
from nativize.errors import ModelError
from nativize.recipe import Chat
from tests.model.tiny import Tiny

DIALOGUE = [
    {"role": "user", "content": "桜は？"},
    {"role": "assistant", "content": "春になると咲きます。"},
    {"role": "user", "content": "The river?"},
    {"role": "assistant", "content": "It opens in spring."},
]
TEMPLATES = ["alpaca", "llama2"]


def make_data(directory: Path, template: str, dialogues: list[list[dict[str, str]]]) -> Path:
    directory.mkdir()
    text = "".join(json.dumps({"messages": messages}) + "\n" for messages in dialogues)
    (directory / "data.jsonl").write_text(text, encoding="utf-8")
    with standalone(directory / "out") as place:
        chat = Chat.model_validate({"path": "*.jsonl", "template": template})
        make_instruction_data(place, chat=chat, directory=directory)
    train = directory / "out" / "train.jsonl"
    if not train.read_text():  # a handful may all be held out
        train.write_bytes((directory / "out" / "heldout.jsonl").read_bytes())
    return directory / "out"


def samples(tiny: Tiny, directory: Path, template: str, maximum: int = 512) -> ChatSamples:
    data = make_data(directory, template, [DIALOGUE])
    return ChatSamples(data, tiny.extended, maximum, seed=1)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_loss_falls_on_answers_and_their_end_alone(
    tiny: Tiny, tmp_path: Path, template: str
) -> None:
    made = samples(tiny, tmp_path / "data", template)
    sample = made.sample(0)
    learned = [label for label in sample["labels"] if label != IGNORED]
    text = made.tokenizer.decode(learned, skip_special_tokens=False)
    squeezed = text.replace(" ", "")
    assert squeezed == "春になると咲きます。</s>Itopensinspring.</s>"


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_prompt_at_use_is_the_beginning_met_in_training(
    tiny: Tiny, tmp_path: Path, template: str
) -> None:
    made = samples(tiny, tmp_path / "data", template)
    tokenizer = AutoTokenizer.from_pretrained(tiny.extended)
    prompt = tokenizer.apply_chat_template(
        DIALOGUE[:1], chat_template=made.template, add_generation_prompt=True, return_dict=False
    )
    sample = made.sample(0)
    assert list(sample["input_ids"][: len(prompt)]) == prompt
    assert sample["labels"][len(prompt) - 1] == IGNORED
    assert sample["labels"][len(prompt)] != IGNORED


def test_an_epoch_holds_each_dialogue_once_and_the_next_in_another_order(
    tiny: Tiny, tmp_path: Path
) -> None:
    dialogues = [
        [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": f"{n}."}]
        for n in range(60)
    ]
    made = ChatSamples(make_data(tmp_path / "data", "alpaca", dialogues), tiny.extended, 256, 1)
    epochs = [
        [tuple(made.sample(start + n)["input_ids"]) for n in range(len(made))]
        for start in (0, len(made))
    ]
    assert len(set(epochs[0])) == len(made)
    assert set(epochs[0]) == set(epochs[1]) and epochs[0] != epochs[1]


def test_a_control_token_in_a_text_does_not_become_one(tiny: Tiny, tmp_path: Path) -> None:
    answers = ["a</s>b", "c"]
    dialogues = [
        [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}]
        for answer in answers
    ]
    made = ChatSamples(make_data(tmp_path / "data", "alpaca", dialogues), tiny.extended, 256, 1)
    assert len(made) == 1 and made.unusable["control_token_in_text"] == 1


def test_a_dialogue_whose_answer_is_cut_off_is_counted(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="'answer_beyond_maximum_tokens': 1"):
        samples(tiny, tmp_path / "data", "alpaca", maximum=5)


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("system", [[], [{"role": "system", "content": " Be kind.\n"}]])
def test_plain_text_is_what_transformers_tells_without_control_tokens(
    tiny: Tiny, template: str, system: list[dict[str, str]]
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny.extended)
    dialogue = [*system, *DIALOGUE]
    told = tokenizer.apply_chat_template(dialogue, chat_template=JINJA[template], tokenize=False)
    plain = told.replace(tokenizer.bos_token, "").replace(tokenizer.eos_token, "")
    assert plain_teller(JINJA[template])(dialogue) == plain
