"""The stage `filtered_shards`: every shard of the crawl cleaned, every drop with its reason."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nativize.artifact import (
    Accounts,
    Report,
    ShardTask,
    Stage,
    Workplace,
    file_digests,
    shard_counts,
)
from nativize.clean.judge import Verdict, judge
from nativize.clean.normalise import normalise
from nativize.crawl import SCHEMA, DocumentFile
from nativize.engine import CorpusEngine, LocalEngine
from nativize.errors import CorpusError
from nativize.recipe import Clean, Language

FILTER = Stage(
    "filtered_shards",
    version=1,
    group="corpus",
    inputs=("raw_crawl",),
    reads=("language", "clean"),
    volatile=("*.dropped.jsonl",),
)

FILTERED_SCHEMA = SCHEMA.append(pa.field("language_score", pa.float32(), nullable=False))
"""A document with the probability that it is in the recipe's language."""

SAMPLES_PER_REASON = 3
SAMPLE_CHARACTERS = 300
PERSONAL_DATA = ("mail", "card", "ip", "phone")


def filter_shards(
    raw: Path,
    place: Workplace,
    *,
    language: Language,
    clean: Clean,
    engine: CorpusEngine | None = None,
) -> Report:
    """The documents that pass, cleaned, in shards of the same names.

    Writes ``<shard>.parquet`` and, where documents were dropped, ``<shard>.dropped.jsonl`` with
    the first few of each reason.

    Raises:
        CorpusError: no document survived; the message counts the reasons.
    """
    tasks = [
        ShardTask(Path(name).stem, {"shard": digest}, (raw / name, language, clean))
        for name, digest in file_digests(raw, ".parquet").items()
    ]
    reports = place.shards.build(engine or LocalEngine(), filter_shard, tasks, place.out)
    accounts = Accounts.total(report.accounts for report in reports if report.accounts)
    _require_survivors(raw, accounts)
    return Report(_metrics(reports, accounts), accounts)


def filter_shard(shard: Path, language: Language, clean: Clean, out: Path) -> Report:
    """One shard filtered into ``out``; its books and what was changed."""
    accounts = Accounts()
    changed: Counter[str] = Counter()
    samples: list[dict[str, str]] = []
    with DocumentFile(out / shard.name, FILTERED_SCHEMA) as kept:
        for row in read_rows(shard):
            accounts.enter(row["text"])
            verdict = judge(row["text"], language, clean)
            if verdict.reason:
                accounts.drop(verdict.reason, row["text"])
                if accounts.dropped[verdict.reason].documents <= SAMPLES_PER_REASON:
                    samples.append(_sample(row, verdict.reason))
            else:
                accounts.keep(row["text"])
                kept.add(_kept_row(row, verdict))
                changed.update(_changes(verdict))
    if samples:
        lines = (json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples)
        (out / f"{shard.stem}.dropped.jsonl").write_text("".join(lines), encoding="utf-8")
    return Report(dict(changed), accounts)


def read_rows(shard: Path) -> Iterator[Mapping[str, Any]]:
    """The documents of a shard, one row group in memory at a time."""
    with pq.ParquetFile(shard) as parquet:
        for group in range(parquet.num_row_groups):
            yield from parquet.read_row_group(group).to_pylist()


def _kept_row(row: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    cleaned = {
        "text": verdict.text,
        "language": verdict.language,
        "language_score": verdict.language_score,
    }
    return {**row, **cleaned}


def _changes(verdict: Verdict) -> dict[str, int]:
    replaced = {f"personal_data_{kind}": n for kind, n in verdict.personal_data.items()}
    return {**replaced, "boilerplate_lines": verdict.boilerplate_lines}


def _sample(row: Mapping[str, Any], reason: str) -> dict[str, str]:
    # control characters would reach the terminal of whoever looks at the sample
    text = normalise(row["text"][:SAMPLE_CHARACTERS], "none")
    return {"reason": reason, "id": row["id"], "text": text}


def _require_survivors(raw: Path, accounts: Accounts) -> None:
    if accounts.kept.documents:
        return
    reasons = {
        reason: count.documents
        for reason, count in sorted(
            accounts.dropped.items(), key=lambda item: (-item[1].documents, item[0])
        )
    }
    raise CorpusError(
        f"no document of {raw} passed the filters: {accounts.entered.documents} entered,"
        f" dropped {reasons}. Look at the recipe's [clean] (language: is [language] code right and"
        " language_score not too high? too_short: minimum_characters) or at the crawl sources."
    )


def _metrics(reports: list[Report], accounts: Accounts) -> dict[str, Any]:
    changed: Counter[str] = Counter({f"personal_data_{kind}": 0 for kind in PERSONAL_DATA})
    changed["boilerplate_lines"] = 0
    for report in reports:
        changed.update({k: n for k, n in report.metrics.items() if k != "shard_reused"})
    return {
        **shard_counts(reports),
        "documents": accounts.kept.documents,
        "kept_share": round(accounts.kept.documents / accounts.entered.documents, 4),
        **{f"dropped_{reason}": n.documents for reason, n in accounts.dropped.items()},
        **changed,
    }
