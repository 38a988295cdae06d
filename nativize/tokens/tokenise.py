"""The tokenise stage: every training document as ids, shard by shard."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy

from nativize.artifact import (
    Accounts,
    Report,
    ShardTask,
    Workplace,
    file_digests,
    shard_counts,
    write_json,
)
from nativize.artifact.fingerprint import fingerprint
from nativize.dedup.corpus import read_shard, shard_digest, shard_names
from nativize.engine import CorpusEngine
from nativize.errors import CorpusError
from nativize.recipe import Mixture
from nativize.tokens.order import NEW, REPLAY
from nativize.tokens.shards import INDEX
from nativize.vocabulary.encoder import load_encoder
from nativize.vocabulary.merge import TOKENIZER_FILES, read_sizes

LARGEST_UINT16_VOCABULARY = 65_536


def tokenise(
    vocabulary_dir: Path,
    corpus: Path,
    replay: Path,
    place: Workplace,
    *,
    mixture: Mixture,
    engine: CorpusEngine,
) -> Report:
    """One ``.tokens`` file for every training shard of both corpora, and their index.

    Raises:
        CorpusError: a corpus of the mixture has not even one full sample.
    """
    corpora = _corpora(corpus, replay, mixture)
    sizes = read_sizes(vocabulary_dir)
    vocabulary = _tokenizer_digest(vocabulary_dir)
    dtype = "uint16" if sizes.padded_size <= LARGEST_UINT16_VOCABULARY else "uint32"
    tasks = [
        task
        for name, directory in corpora.items()
        for task in _tasks(name, directory, vocabulary_dir, vocabulary, dtype)
    ]
    reports = place.shards.build(engine, encode_shard, tasks, place.out)
    entries: dict[str, list[dict[str, Any]]] = {NEW: [], REPLAY: []}
    for task, report in zip(tasks, reports, strict=True):
        entry = {"name": task.name, **{key: report.metrics[key] for key in ("tokens", "sha256")}}
        entries[task.name.split("-")[0]].append(entry)
    encoder = load_encoder(vocabulary_dir)
    index = {
        "dtype": dtype,
        "sequence_length": mixture.sequence_length,
        "packing": mixture.packing,
        "replay_share": mixture.replay_share,
        "seed": mixture.seed,
        "corpora": entries,
        "vocabulary": {
            "size": sizes.size,
            "padded_size": sizes.padded_size,
            "bos": encoder.bos,
            "eos": encoder.eos,
            "digest": vocabulary,
        },
    }
    write_json(place.out / INDEX, index)
    accounts = [report.accounts for report in reports if report.accounts]
    return Report(_metrics(corpora, entries, reports, mixture), Accounts.total(accounts))


def encode_shard(
    vocabulary_dir: Path, corpus: Path, shard: str, name: str, dtype: str, out: Path
) -> Report:
    """``<name>.tokens``: each document between BOS and EOS, little-endian, one after another.

    Args:
        vocabulary_dir: the merged vocabulary.
        corpus: a deduplicated corpus.
        shard: the name of one of its shards, whose training documents are encoded.
        name: the stem of the file to write.
        dtype: of an id.
        out: directory that the file is written to.
    Raises:
        CorpusError: nothing would part the documents.
    """
    encoder = load_encoder(vocabulary_dir)
    before = [encoder.bos] if encoder.bos is not None else []
    after = [encoder.eos] if encoder.eos is not None else []
    if not before and not after:
        raise CorpusError(f"{vocabulary_dir}: neither BOS nor EOS; documents would run together")
    accounts = Accounts()
    digest = hashlib.sha256()
    tokens = 0
    with (out / f"{name}.tokens").open("wb") as stream:
        for batch in read_shard(corpus, shard, "train", ["text"]):
            texts = batch.column(0).to_pylist()
            for text in texts:
                accounts.enter(text)
            for text, ids in zip(texts, encoder.encode(texts), strict=True):
                packed = numpy.array([*before, *ids, *after], dtype=numpy.dtype(dtype))
                content = packed.astype(packed.dtype.newbyteorder("<")).tobytes()
                stream.write(content)
                digest.update(content)
                tokens += len(packed)
                accounts.keep(text)
    return Report({"tokens": tokens, "sha256": digest.hexdigest()}, accounts)


def _corpora(corpus: Path, replay: Path, mixture: Mixture) -> dict[str, Path]:
    """The corpora that the mixture has any use for."""
    wanted = {NEW: (corpus, 1 - mixture.replay_share), REPLAY: (replay, mixture.replay_share)}
    return {name: directory for name, (directory, share) in wanted.items() if share > 0}


def _tokenizer_digest(vocabulary_dir: Path) -> str:
    files = file_digests(vocabulary_dir)
    return fingerprint({name: files[name] for name in TOKENIZER_FILES if name in files})


def _tasks(
    name: str, directory: Path, vocabulary_dir: Path, vocabulary: str, dtype: str
) -> Iterable[ShardTask]:
    digests = file_digests(directory, ".parquet")
    for shard in shard_names(directory, "train"):
        task = f"{name}-{shard}"
        identity = {"vocabulary": vocabulary, "shard": shard_digest(digests, shard)}
        yield ShardTask(task, identity, (vocabulary_dir, directory, shard, task, dtype))


def _metrics(
    corpora: dict[str, Path],
    entries: dict[str, list[dict[str, Any]]],
    reports: list[Report],
    mixture: Mixture,
) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for name, directory in corpora.items():
        tokens = sum(entry["tokens"] for entry in entries[name])
        blocks, rest = divmod(tokens, mixture.sequence_length)
        if not blocks:
            raise CorpusError(
                f"{directory}: {tokens} tokens, fewer than one sample of"
                f" {mixture.sequence_length}; give it more text, lower mixture.sequence_length"
                " or set mixture.replay_share so that this corpus is not needed"
            )
        metrics |= {f"{name}_tokens": tokens, f"{name}_samples": blocks, f"{name}_rest": rest}
    tokens = sum(report.metrics["tokens"] for report in reports)
    entered = Accounts.total(report.accounts for report in reports if report.accounts).entered
    return {**shard_counts(reports), **metrics, "bytes_per_token": round(entered.bytes / tokens, 4)}
