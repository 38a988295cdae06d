import json
import pickle
import shutil
import time
from pathlib import Path

import numpy
import pytest

from nativize.artifact import Artifact, ArtifactStore, Inputs, file_digests
from nativize.dedup.corpus import fates_path, read_fates, write_fates
from nativize.engine import LocalEngine
from nativize.errors import CorpusError
from nativize.recipe import Mixture
from nativize.tokens import TOKENISE, TokenShards, tokenise
from nativize.vocabulary import load_encoder
from tests.tokens.conftest import make_tokens
from tests.vocabulary.composed import JAPANESE, documents, write_shard


def test_decoding_the_shards_gives_the_documents_back(mixed: Path) -> None:
    encoder = load_encoder(mixed / "merged")
    ids = numpy.fromfile(mixed / "tokens" / "new-part-1.tokens", dtype="<u2")
    found = numpy.split(ids, numpy.flatnonzero(ids == encoder.eos) + 1)[:-1]
    assert {int(document[0]) for document in found} == {encoder.bos}
    decoded = encoder.decode([document[1:-1].tolist() for document in found])
    assert decoded == documents(JAPANESE)[1:-2:3]


def test_no_heldout_lost_or_cut_text_is_among_the_tokens(mixed: Path) -> None:
    encoder = load_encoder(mixed / "merged")
    shards = sorted((mixed / "tokens").glob("new-*.tokens"))
    assert [path.stem for path in shards] == ["new-part-0", "new-part-1", "new-part-2"]
    decoded = encoder.decode([numpy.fromfile(shards[0], dtype="<u2").tolist()])[0]
    assert "♞" not in decoded
    *train, heldout, _ = documents(JAPANESE)
    assert train[0] in decoded and heldout not in decoded


def test_a_shard_without_training_text_has_no_tokens(mixed: Path, tmp_path: Path) -> None:
    shutil.copytree(mixed / "new", tmp_path / "new")
    for name in ("merged", "old"):
        (tmp_path / name).symlink_to(mixed / name)
    write_shard(tmp_path / "new", "part-1-of-none", [("heldout", "春"), ("bucket:tail", "夏")])
    index = make_tokens(tmp_path, tmp_path / "tokens").index
    assert index == TokenShards(mixed / "tokens").index


def test_only_a_shard_whose_fates_changed_is_made_again(mixed: Path, tmp_path: Path) -> None:
    shutil.copytree(mixed / "new", tmp_path / "new")
    store = ArtifactStore(tmp_path / "store", "recipe")

    def built() -> object:
        return store.materialise(
            TOKENISE,
            {},
            Inputs(outside=dict(file_digests(tmp_path / "new"))),
            lambda place: tokenise(
                mixed / "merged",
                tmp_path / "new",
                mixed / "old",
                place,
                mixture=Mixture(sequence_length=64, replay_share=0.0),
                engine=LocalEngine(1),
            ),
        ).metrics["shards_built"]

    assert built() == 3
    path = fates_path(tmp_path / "new", "part-2")
    fates = read_fates(tmp_path / "new", "part-2")["fate"].to_pylist()
    write_fates(path, [*fates[:-1], "near_duplicate"])
    assert built() == 1


def test_the_blocks_are_the_stream_of_all_shards(mixed: Path) -> None:
    shards = TokenShards(mixed / "tokens")
    files = sorted((mixed / "tokens").glob("new-*.tokens"))
    stream = numpy.concatenate([numpy.fromfile(path, dtype="<u2") for path in files])
    blocks = {}
    for number in range(200):
        corpus, block = shards.order.locate(number)
        if corpus == "new":
            blocks[block] = shards.sample(number)
    assert sorted(blocks) == list(range(shards.order.streams["new"].blocks))
    assert blocks[0].dtype == numpy.int64 and blocks[0].shape == (64,)
    rebuilt = numpy.concatenate([blocks[number] for number in sorted(blocks)])
    assert numpy.array_equal(rebuilt, stream[: len(rebuilt)])
    assert len(stream) - len(rebuilt) < 64


def test_workers_change_no_byte(mixed: Path, tmp_path: Path) -> None:
    make_tokens(mixed, tmp_path / "again", workers=2)
    for path in (path for path in (mixed / "tokens").iterdir() if path.is_file()):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_the_digest_tells_other_data_and_other_order_apart(mixed: Path, tmp_path: Path) -> None:
    digest = TokenShards(mixed / "tokens").digest()
    assert TokenShards(mixed / "tokens").digest() == digest
    assert TokenShards(mixed / "tokens", seed=2).digest() != digest
    changes = [
        {"replay_share": 0.1}, {"seed": 2}, {"packing": "concatenated"}, {"sequence_length": 32},
        {"eos": False},
    ]  # fmt: skip
    digests = {
        make_tokens(mixed, tmp_path / str(number), **change).digest()
        for number, change in enumerate(changes)
    }
    assert len(digests | {digest}) == len(changes) + 1


def test_the_limit_of_epochs_is_no_content(mixed: Path, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "store", "recipe")

    def made(maximum: float) -> Artifact:
        mixture = Mixture(sequence_length=64, maximum_epochs=maximum)
        arguments = (mixed / "merged", mixed / "new", mixed / "old")
        return store.materialise(
            TOKENISE,
            {"mixture": mixture.model_dump()},
            Inputs(),
            lambda place: tokenise(*arguments, place, mixture=mixture, engine=LocalEngine(1)),
        )

    first, raised = made(4.0), made(9.0)
    assert TokenShards(raised.path).maximum_epochs == 9.0
    assert raised.content == first.content
    assert raised.metrics["shards_built"] == 0


def test_a_pickled_reader_opens_its_files_again(mixed: Path) -> None:
    shards = TokenShards(mixed / "tokens", seed=5)
    frozen = pickle.dumps(shards)
    assert len(frozen) < 1_000
    assert numpy.array_equal(pickle.loads(frozen).sample(3), shards.sample(3))


def test_a_truncated_shard_is_refused_by_name(mixed: Path, tmp_path: Path) -> None:
    shutil.copytree(mixed / "tokens", tmp_path / "tokens")
    path = tmp_path / "tokens" / "new-part-1.tokens"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(CorpusError, match=r"new-part-1\.tokens"):
        TokenShards(tmp_path / "tokens")


def test_a_corpus_without_one_full_sample_is_an_error(mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="fewer tokens than one sample of 100000"):
        make_tokens(mixed, tmp_path / "out", sequence_length=100_000)


def test_without_replay_the_old_corpus_is_not_read(mixed: Path, tmp_path: Path) -> None:
    for name in ("merged", "new"):
        (tmp_path / name).symlink_to(mixed / name)
    shards = make_tokens(tmp_path, tmp_path / "out", replay_share=0.0)
    assert list(shards.order.streams) == ["new"]


def test_a_large_vocabulary_takes_the_bits_it_needs(mixed: Path, tmp_path: Path) -> None:
    shards = make_tokens(with_padded_size(mixed, tmp_path, 151_936), tmp_path / "tokens")
    small = TokenShards(mixed / "tokens")
    assert (small.index["bits"], shards.index["bits"]) == (16, 18)
    sizes = [(root / "tokens" / "new-part-1.tokens").stat().st_size for root in (mixed, tmp_path)]
    assert sizes[1] / sizes[0] == pytest.approx(18 / 16, rel=1e-3)
    for number in range(20):
        assert numpy.array_equal(shards.sample(number), small.sample(number))


def with_padded_size(mixed: Path, root: Path, size: int) -> Path:
    """The workshop again below ``root``, with a vocabulary that claims so many ids."""
    shutil.copytree(mixed / "merged", root / "merged")
    sizes = json.loads((root / "merged" / "vocabulary.json").read_text())
    (root / "merged" / "vocabulary.json").write_text(json.dumps({**sizes, "padded_size": size}))
    for name in ("new", "old"):
        (root / name).symlink_to(mixed / name)
    return root


def test_finding_a_sample_is_quick(mixed: Path) -> None:
    shards = TokenShards(mixed / "tokens")
    started = time.perf_counter()
    for number in range(2_000):
        shards.sample(10**12 + number)
    assert (time.perf_counter() - started) / 2_000 < 1e-3
