"""Bits per byte: each token once, whatever the windows; and a report that text cannot break."""

import hashlib
import itertools
import json
import math
from pathlib import Path

import pytest
import torch

from nativize.artifact import Report, standalone
from nativize.dedup.corpus import read_shard, shard_names
from nativize.errors import CorpusError
from nativize.evaluate import evaluate_models
from nativize.evaluate.heldout import Heldout, choose_heldout
from nativize.evaluate.likelihood import bits_per_byte, rolling_windows
from nativize.evaluate.report import fenced
from nativize.model.directory import load_model
from nativize.recipe import Evaluation
from nativize.vocabulary import load_encoder
from tests.model.tiny import Tiny
from tests.vocabulary.composed import write_shard


def evaluated(tiny: Tiny, out: Path) -> Report:
    reports = []
    with standalone(out) as place:
        reports.append(
            evaluate_models(
                {"base_model": tiny.base, "extended_model": tiny.extended},
                tiny.new,
                tiny.old,
                place,
                evaluation=Evaluation(
                    maximum_tokens=600, prompts=("春になると", "The river"), sample_tokens=6
                ),
            )
        )
    return reports[0]


def test_every_token_is_scored_once() -> None:
    windows = rolling_windows(list(range(10, 30)), 8, start=1)
    assert [token for window in windows for token in window[1:]] == list(range(10, 30))
    assert windows[0][0] == 1 and windows[1][0] == 17


def test_a_model_that_knows_nothing_needs_log2_of_its_vocabulary_per_token(tiny: Tiny) -> None:
    model = load_model(tiny.base)
    torch.nn.init.zeros_(model.get_output_embeddings().weight)
    encoder = load_encoder(tiny.base)
    heldout = Heldout(("The old library near the river opens in spring. " * 9, "京都"))
    tokens = sum(map(len, encoder.encode(heldout.texts)))
    expected = tokens * math.log2(400) / heldout.bytes
    assert bits_per_byte(model, encoder, heldout) == pytest.approx(expected, rel=1e-6)


def test_batches_and_padding_change_nothing(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from nativize.evaluate import likelihood

    model, encoder = load_model(tiny.base), load_encoder(tiny.base)
    heldout = choose_heldout(tiny.old, encoder, 2_000)
    figures = []
    for tokens in (1, 4_096):
        monkeypatch.setattr(likelihood, "BATCH_TOKENS", tokens)
        figures.append(bits_per_byte(model, encoder, heldout))
    assert figures[0] == pytest.approx(figures[1], rel=1e-6)


def test_documents_are_the_same_whatever_shards_they_lie_in(tiny: Tiny, tmp_path: Path) -> None:
    encoder = load_encoder(tiny.base)
    texts = [f"The river number {number}." for number in range(20)]
    write_shard(tmp_path / "one", "part", [("heldout", text) for text in texts])
    write_shard(tmp_path / "two", "a", [("heldout", text) for text in texts[:9]])
    write_shard(tmp_path / "two", "b", [("heldout", text) for text in texts[9:]])
    chosen = choose_heldout(tmp_path / "one", encoder, 60)
    assert 1 <= len(chosen.texts) < 20
    assert sum(map(len, encoder.encode(chosen.texts))) <= 60
    assert set(chosen.texts) <= set(texts)


@pytest.mark.parametrize("bound", [1, 7, 8, 60, 200, 10_000])
def test_the_draw_is_the_beginning_of_all_documents_in_the_order_of_their_ids_digests(
    tiny: Tiny, tmp_path: Path, bound: int
) -> None:
    encoder = load_encoder(tiny.base)
    texts = ["The river. " * (1 + number * 7 % 5) for number in range(40)]
    for name, part in (("a", texts[:17]), ("b", texts[17:])):
        write_shard(tmp_path, name, [("heldout", text) for text in part])
    rows = [
        row
        for name in shard_names(tmp_path)
        for batch in read_shard(tmp_path, name, "heldout", ["id", "text"])
        for row in batch.to_pylist()
    ]
    rows.sort(key=lambda row: hashlib.sha256(row["id"].encode()).digest())
    ends = itertools.accumulate(len(encoder.encode([row["text"]])[0]) for row in rows)
    within = max(1, sum(end <= bound for end in ends))
    chosen = choose_heldout(tmp_path, encoder, bound)
    assert chosen.texts == tuple(row["text"] for row in rows[:within])


def test_a_corpus_that_holds_nothing_out_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    write_shard(tmp_path, "part", [("train", "The river.")])
    with pytest.raises(CorpusError, match="no document is held out"):
        choose_heldout(tmp_path, load_encoder(tiny.base), 100)


def test_a_report_is_the_same_twice_and_has_a_figure_for_each_model(
    tiny: Tiny, tmp_path: Path
) -> None:
    reports = [evaluated(tiny, tmp_path / name) for name in ("one", "two")]
    for name in ("report.json", "report.md", "report/bits_per_byte.png"):
        contents = {(tmp_path / out / name).read_bytes() for out in ("one", "two")}
        assert len(contents) == 1
    metrics = reports[0].metrics
    assert metrics["forgetting_base_model"] == 0
    assert metrics["bits_per_byte_new_base_model"] > 0
    assert set(metrics) == {
        f"{figure}_{model}"
        for figure in ("bits_per_byte_new", "bits_per_byte_old", "forgetting")
        for model in ("base_model", "extended_model")
    }


def test_each_model_continues_each_prompt(tiny: Tiny, tmp_path: Path) -> None:
    evaluated(tiny, tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    for figures in report["models"].values():
        prompts = [entry["prompt"] for entry in figures["continuations"]]
        assert prompts == ["春になると", "The river"]
        assert all(entry["greedy"] for entry in figures["continuations"])


def test_text_cannot_leave_its_block() -> None:
    hostile = "```\n<script>alert(1)</script>\n````\n# heading"
    block = fenced(hostile)
    assert block.startswith("`````text\n") and block.endswith("\n`````")
