"""What a mixture takes of its sources: buckets, dialogues, marks, limits, and what it reports."""

import json
import shutil
from collections import Counter
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from nativize.artifact import standalone
from nativize.chat.instruction import make_instruction_data
from nativize.dedup.corpus import shard_names, shard_path
from nativize.errors import CorpusError
from nativize.recipe import Chat, Mixture, load_recipe
from nativize.road import road
from nativize.tokens import TokenShards
from nativize.tokens.encode import encode_dialogues
from nativize.tokens.packing import Marks
from nativize.vocabulary import load_encoder
from tests.tokens.conftest import make_tokens

TINY = Path(__file__).parent.parent / "e2e" / "tiny.toml"
BUCKETS = ("head", "middle", "tail")


@pytest.fixture(scope="session")
def scored(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workshop, its new corpus with quality buckets in turn."""
    root = tmp_path_factory.mktemp("scored")
    shutil.copytree(mixed / "new", root / "new")
    for name in ("merged", "old"):
        (root / name).symlink_to(mixed / name)
    for name in shard_names(root / "new"):
        path = shard_path(root / "new", name)
        table = pq.read_table(path)
        buckets = pa.array([BUCKETS[row % 3] for row in range(len(table))])
        pq.write_table(table.append_column("bucket", buckets), path)
    return root


@pytest.fixture(scope="session")
def dialogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Instruction data in Alpaca's template; one answer holds half of a surrogate pair."""
    root = tmp_path_factory.mktemp("dialogues")
    entries = [
        {"instruction": f"東京には{number}", "output": f"The old library opens in spring {number}."}
        for number in range(120)
    ]
    broken = {"instruction": "京都では", "output": "a \ud800 half"}
    lines = [json.dumps(entry) for entry in (*entries, broken)]
    (root / "data.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with standalone(root / "out") as place:
        make_instruction_data(place, chat=Chat(path="data.jsonl"), directory=root)
    return root / "out"


def decoded(root: Path, out: Path, pattern: str) -> list[str]:
    """The documents of the token files that match, without their marks."""
    encoder = load_encoder(root / "merged")
    documents = []
    for path in sorted(out.glob(pattern)):
        ids = np.fromfile(path, "<u2")
        parts = np.split(ids, np.flatnonzero(ids == encoder.eos) + 1)[:-1]
        assert all(part[0] == encoder.bos for part in parts)
        documents += [part[1:-1].tolist() for part in parts]
    return encoder.decode(documents)


# quality


def test_buckets_that_weigh_alike_are_one_stream(scored: Path, tmp_path: Path) -> None:
    quality = {"head": 2.0, "middle": 2.0, "tail": 2.0}
    shards = make_tokens(scored, tmp_path / "tokens", quality=quality)
    assert list(shards.order.streams) == ["replay", "new"]


def test_a_document_is_in_the_file_of_its_bucket_alone(
    scored: Path, mixed: Path, tmp_path: Path
) -> None:
    make_tokens(scored, tmp_path / "tokens", quality={"head": 2.0})
    by_bucket = [decoded(scored, tmp_path / "tokens", f"new-{name}-*") for name in BUCKETS]
    assert all(by_bucket)
    assert sorted(chain.from_iterable(by_bucket)) == sorted(
        decoded(mixed, mixed / "tokens", "new-*")
    )


def test_a_bucket_is_seen_as_often_as_it_weighs(scored: Path, tmp_path: Path) -> None:
    quality = {"head": 3.0, "middle": 1.0, "tail": 0.5}
    shards = make_tokens(scored, tmp_path / "tokens", quality=quality, sequence_length=32)
    samples = 40_000
    counted = Counter(shards.order.locate(number)[0] for number in range(samples))
    epochs = {
        name: counted[f"new/{name}"] / shards.order.streams[f"new/{name}"].blocks
        for name in BUCKETS
    }
    assert epochs["head"] == pytest.approx(3 * epochs["middle"], rel=1e-3)
    assert epochs["middle"] == pytest.approx(2 * epochs["tail"], rel=1e-3)
    assert counted["replay"] == samples // 4
    assert sum(stream.share for stream in shards.order.streams.values()) == 1


def test_a_bucket_that_weighs_nothing_is_not_even_read(scored: Path, tmp_path: Path) -> None:
    shards = make_tokens(scored, tmp_path / "tokens", quality={"tail": 0.0})
    assert list(shards.order.streams) == ["replay", "new/head", "new/middle"]
    assert not list((tmp_path / "tokens").glob("new-tail*"))


def test_a_corpus_without_buckets_cannot_be_weighed(mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no quality bucket"):
        make_tokens(mixed, tmp_path / "tokens", quality={"head": 2.0})


def test_weights_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="nothing is left"):
        Mixture.model_validate({"quality": {"head": 0, "middle": 0, "tail": 0}})


# instruction text


def test_dialogues_are_told_as_the_template_tells_them(
    mixed: Path, dialogues: Path, tmp_path: Path
) -> None:
    settings = {"instruction_share": 0.2, "replay_share": 0.1}
    shards = make_tokens(mixed, tmp_path / "tokens", instruction=dialogues, **settings)
    told = decoded(mixed, tmp_path / "tokens", "instruction-*")
    assert len(told) > 100
    for text in told:
        assert text.startswith("Below is an instruction")
        assert "\n\n### Instruction:\n東京には" in text
        assert text.split("### Response:\n")[1].startswith("The old library opens")
        assert "</s>" not in text
    shares = {name: stream.share for name, stream in shards.order.streams.items()}
    asked = {"replay": "1/10", "instruction": "1/5", "new": "7/10"}
    assert shares == {name: Fraction(share) for name, share in asked.items()}


def test_half_of_a_surrogate_pair_costs_its_dialogue_alone(
    mixed: Path, dialogues: Path, tmp_path: Path
) -> None:
    report = encode_dialogues(mixed / "merged", dialogues, "x", Marks(1, 2), 16, tmp_path)
    assert report.accounts is not None
    assert report.accounts.dropped["lone_surrogate"].documents == 1


def test_a_share_of_dialogues_needs_dialogues(mixed: Path, tmp_path: Path) -> None:
    for given in (None, mixed / "new"):
        with pytest.raises(CorpusError, match="no instruction data"):
            make_tokens(mixed, tmp_path / "tokens", instruction=given, instruction_share=0.2)


# marks


@pytest.mark.parametrize("kept", ["bos", "eos"])
def test_the_recipe_says_which_marks_are_written(mixed: Path, tmp_path: Path, kept: str) -> None:
    left_out = {"bos": "eos", "eos": "bos"}[kept]
    shards = make_tokens(mixed, tmp_path / "tokens", **{left_out: False})
    encoder = load_encoder(mixed / "merged")
    ids = np.fromfile(tmp_path / "tokens" / "new-part-1.tokens", "<u2").tolist()
    assert getattr(encoder, kept) in ids and getattr(encoder, left_out) not in ids
    for number in range(8):
        positions = shards.packed(number)["position_ids"]
        assert (np.flatnonzero(positions == 0)[1:] > 0).sum() == (
            (shards.sample(number)[1:] == encoder.bos).sum()
            if kept == "bos"
            else (shards.sample(number)[:-1] == encoder.eos).sum()
        )


def test_documents_that_would_run_together_are_refused() -> None:
    with pytest.raises(ValidationError, match="run together"):
        Mixture(bos=False, eos=False)


# limits


def test_epochs_are_what_a_training_goes_through(mixed: Path) -> None:
    shards = TokenShards(mixed / "tokens")
    counted = Counter(shards.order.locate(number) for number in range(300))
    for name, epochs in shards.epochs(300).items():
        often = [count for (stream, _), count in counted.items() if stream == name]
        assert max(often) - 1 <= epochs <= max(often)
        assert min(often) >= int(epochs)


def test_too_many_epochs_are_refused_by_stream(mixed: Path, tmp_path: Path) -> None:
    shards = make_tokens(mixed, tmp_path / "tokens", maximum_epochs=2)
    replay = shards.order.streams["replay"].blocks
    new = shards.order.streams["new"].blocks
    most = min(2 * replay * 4, 2 * new * 4 // 3)
    shards.refuse_too_many_epochs(most)
    with pytest.raises(CorpusError, match=r"tokens of (replay|new);.*maximum_epochs is 2"):
        shards.refuse_too_many_epochs(most + 4)


# the report


def test_the_report_says_what_each_stream_gives(
    scored: Path, dialogues: Path, tmp_path: Path
) -> None:
    settings = {"instruction_share": 0.05, "replay_share": 0.1, "quality": {"head": 2.0}}
    shards = make_tokens(scored, tmp_path / "tokens", instruction=dialogues, **settings)
    table = json.loads((tmp_path / "tokens" / "report" / "mixture.json").read_text())
    rows = {row[0]: dict(zip(table["columns"], row, strict=True)) for row in table["rows"]}
    assert list(rows) == list(shards.order.streams)
    assert (
        rows["replay"]["share asked"]
        == rows["replay"]["share of the first 10,000 samples"]
        == "10.00%"
    )
    for name, row in rows.items():
        assert row["samples"] == shards.order.streams[name].blocks
        assert row["tokens"] == 64 * row["samples"] + row["tokens never seen"]
        assert row["disk / UTF-8"] == pytest.approx(2 / row["bytes per token"], abs=2e-3)
    picture = tmp_path / "tokens" / "report" / "mixture.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


# the road


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_dialogues_are_an_input_where_the_mixture_has_a_share_of_them(
    tmp_path: Path, share: float
) -> None:
    text = TINY.read_text(encoding="utf-8")
    path = tmp_path / "recipe.toml"
    path.write_text(text.replace("[mixture]", f"[mixture]\ninstruction_share = {share}"))
    stages = road(load_recipe(path))
    assert ("instruction_data" in stages["token_shards"].inputs) == (share > 0)
    names = list(stages)
    for name, stage in stages.items():
        assert all(names.index(before) < names.index(name) for before in stage.inputs)
