"""The tokenise stage: every training document as ids, shard by shard, and what a mixture takes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from nativize.artifact import (
    REPORT,
    Accounts,
    Report,
    ShardTask,
    Workplace,
    file_digests,
    shard_counts,
    write_json,
)
from nativize.artifact.fingerprint import fingerprint
from nativize.dedup.corpus import shard_digest, shard_names
from nativize.engine import CorpusEngine
from nativize.errors import CorpusError
from nativize.recipe import Mixture
from nativize.tokens.encode import encode_dialogues, encode_shard
from nativize.tokens.heldout import HELDOUT, encode_heldout
from nativize.tokens.id_file import bits_for
from nativize.tokens.packing import Marks
from nativize.tokens.report import StreamFigures, write_report
from nativize.tokens.shards import INDEX, LIMITS, TokenShards
from nativize.tokens.sources import INSTRUCTION, Source, shares, sources_of
from nativize.vocabulary.encoder import Encoder, load_encoder
from nativize.vocabulary.merge import TOKENIZER_FILES, read_sizes

Made = dict[str, list[Report]]
"""What was reported of the files of each stream."""


def tokenise(
    vocabulary_dir: Path,
    corpus: Path,
    replay: Path,
    place: Workplace,
    *,
    mixture: Mixture,
    engine: CorpusEngine,
    instruction: Path | None = None,
) -> Report:
    """One ``.tokens`` file for every training shard of each source, their index and report.

    Args:
        vocabulary_dir: the merged vocabulary.
        corpus: the new language.
        replay: the old one.
        place: where it grows.
        mixture: what of it is trained on, and how often.
        engine: where shards are encoded.
        instruction: instruction data; only read where the mixture has a share of it.
    Raises:
        CorpusError: a source of the mixture has not even one full sample, or documents would run
            together.
    """
    sources = sources_of(mixture, corpus, replay, instruction)
    sizes = read_sizes(vocabulary_dir)
    vocabulary = _tokenizer_digest(vocabulary_dir)
    encoder = load_encoder(vocabulary_dir)
    marks = _marks(vocabulary_dir, encoder, mixture)
    bits = bits_for(sizes.padded_size)
    encoding = {"vocabulary": vocabulary, "bos": marks.bos, "eos": marks.eos, "bits": bits}
    tasks = {
        source.stream: list(_tasks(source, vocabulary_dir, encoding, marks, bits))
        for source in sources
    }
    made = _build(tasks, place, engine)
    blocks = {name: _tokens(reports) // mixture.sequence_length for name, reports in made.items()}
    share_of = shares(mixture, sources, blocks)
    index = {
        "bits": bits,
        "sequence_length": mixture.sequence_length,
        "packing": mixture.packing,
        "seed": mixture.seed,
        "streams": [
            {"name": name, "share": str(share), "shards": _entries(tasks[name], made[name])}
            for name, share in share_of.items()
        ],
        "vocabulary": {
            "base_size": sizes.base_size,
            "size": sizes.size,
            "padded_size": sizes.padded_size,
            "bos": marks.bos,
            "eos": marks.eos,
            "digest": vocabulary,
        },
    }
    write_json(place.out / INDEX, index)
    heldout = encode_heldout(encoder, corpus, replay)
    (place.out / HELDOUT).write_text(json.dumps(heldout), encoding="utf-8")
    write_json(place.out / LIMITS, {"maximum_epochs": mixture.maximum_epochs})
    figures = [
        _figures(name, reports, blocks[name], share_of.get(name, Fraction(0)))
        for name, reports in made.items()
    ]
    told = write_report(figures, TokenShards(place.out), place.out / REPORT)
    reports = [report for reports in made.values() for report in reports]
    accounts = Accounts.total(report.accounts for report in reports if report.accounts)
    return Report({**shard_counts(reports), **told}, accounts)


def _marks(vocabulary_dir: Path, encoder: Encoder, mixture: Mixture) -> Marks:
    try:
        return Marks(encoder.bos if mixture.bos else None, encoder.eos if mixture.eos else None)
    except ValueError as error:
        raise CorpusError(
            f"{vocabulary_dir}: with mixture.bos = {mixture.bos} and mixture.eos = {mixture.eos}"
            f" this tokenizer (BOS {encoder.bos}, EOS {encoder.eos}) gives {error}; set the one"
            " that it has to true"
        ) from error


def _tokenizer_digest(vocabulary_dir: Path) -> str:
    files = file_digests(vocabulary_dir)
    return fingerprint({name: files[name] for name in TOKENIZER_FILES if name in files})


def _tasks(
    source: Source, vocabulary_dir: Path, encoding: Mapping[str, Any], marks: Marks, bits: int
) -> Iterator[ShardTask]:
    """The files of a source, each ``<stream>-<shard>``."""
    stem = source.stream.replace("/", "-")
    if source.group == INSTRUCTION:
        digests = file_digests(source.directory)
        files = ("train.jsonl", "template.json")
        if not digests.keys() >= set(files):
            raise CorpusError(
                f"{source.directory}: no instruction data, for {' or '.join(files)} is missing;"
                " name what instruction_data made, or materialise it again"
            )
        read: dict[str, Any] = {file: digests[file] for file in files}
        name = f"{stem}-dialogues"
        arguments: tuple[Any, ...] = (source.directory, name, marks, bits)
        yield ShardTask(name, {**encoding, "data": read}, (vocabulary_dir, *arguments))
        return
    digests = file_digests(source.directory, ".parquet")
    for shard in shard_names(source.directory, "train"):
        name = f"{stem}-{shard}"
        read = {"shard": shard_digest(digests, shard), "bucket": source.bucket}
        arguments = (source.directory, shard, source.bucket, name, marks, bits)
        yield ShardTask(name, {**encoding, **read}, (vocabulary_dir, *arguments))


def _build(
    tasks: Mapping[str, Sequence[ShardTask]], place: Workplace, engine: CorpusEngine
) -> Made:
    """All files in ``place.out``; those of corpora at once, so that no core waits for a stream."""
    dialogues = list(tasks.get(INSTRUCTION, ()))
    shards = [task for name, some in tasks.items() if name != INSTRUCTION for task in some]
    reports = place.shards.build(engine, encode_shard, shards, place.out)
    reports += place.shards.build(engine, encode_dialogues, dialogues, place.out)
    by_name = {task.name: report for task, report in zip(shards + dialogues, reports, strict=True)}
    return {name: [by_name[task.name] for task in some] for name, some in tasks.items()}


def _entries(tasks: Sequence[ShardTask], reports: Sequence[Report]) -> list[dict[str, Any]]:
    return [
        {"name": task.name, **{key: report.metrics[key] for key in ("tokens", "sha256")}}
        for task, report in zip(tasks, reports, strict=True)
    ]


def _figures(name: str, reports: Sequence[Report], blocks: int, share: Fraction) -> StreamFigures:
    kept = Accounts.total(report.accounts for report in reports if report.accounts).kept
    return StreamFigures(name, kept.documents, kept.bytes, _tokens(reports), blocks, share)


def _tokens(reports: Sequence[Report]) -> int:
    return sum(report.metrics["tokens"] for report in reports)
