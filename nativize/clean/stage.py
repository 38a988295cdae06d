"""The stage `filtered_shards`: every shard of the crawl tidied, measured and decided upon.

Two steps a shard, both kept: measuring (slow, knows no threshold) and deciding (ten times as fast).
A changed threshold or list decides anew; a changed takedown list only where it concerns someone.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nativize.artifact import (
    Accounts,
    Report,
    ShardTask,
    Stage,
    Workplace,
    file_digests,
    sha256_of,
    shard_counts,
    throughput,
)
from nativize.clean.decide import decide_shard
from nativize.clean.lists import list_paths
from nativize.clean.measure import measure_identity, measure_shard
from nativize.clean.personal import KINDS
from nativize.clean.presets import thresholds
from nativize.clean.takedown import read_takedowns, takedowns_in
from nativize.crawl.report import draw_lengths, write_samples
from nativize.engine import CorpusEngine, LocalEngine
from nativize.errors import CorpusError
from nativize.recipe import Clean, Language, identity

FILTER = Stage(
    "filtered_shards",
    version=3,
    group="corpus",
    inputs=("raw_crawl",),
    reads=("language", "clean"),
    shard_reads=("language",),  # the tasks name the rest: measuring and deciding differ in it
    volatile=("*.samples.jsonl",),
)


def clean_lists(clean: Clean, takedown: str | None, directory: Path) -> dict[str, Path]:
    """Every list that decides about documents, by name."""
    paths = list_paths(clean, directory)
    return {**paths, "takedown": directory / takedown} if takedown else paths


def clean_digests(clean: Clean, takedown: str | None, directory: Path) -> dict[str, str]:
    """The lists' digests: what filtering reads outside the store; a missing list counts as such."""
    paths = clean_lists(clean, takedown, directory)
    return {n: sha256_of(p) if p.is_file() else "missing" for n, p in sorted(paths.items())}


def filter_shards(
    raw: Path,
    place: Workplace,
    *,
    language: Language,
    clean: Clean,
    takedown: str | None = None,
    directory: Path = Path(),
    engine: CorpusEngine | None = None,
) -> Report:
    """The documents that pass, cleaned, in shards of the same names.

    Writes ``<shard>.parquet``, ``<shard>.samples.jsonl`` with the first documents of each reason,
    and a report with samples and a picture of the lengths.

    Args:
        raw: directory of crawled shards.
        place: where the value grows.
        language: the recipe's language.
        clean: the recipe's section.
        takedown: the list of removed documents, relative to ``directory``.
        directory: what the paths of lists are relative to.
        engine: where shards are worked on.

    Raises:
        CorpusError: no document survived; the message counts the reasons.
        RecipeError: a list cannot be read, or a takedown request is none.
    """
    engine = engine or LocalEngine()
    wanted = thresholds(language, clean)
    shards = {Path(name).stem: digest for name, digest in file_digests(raw, ".parquet").items()}
    step = place.step("measured")
    how = measure_identity(clean, wanted)
    measured = [
        ShardTask(name, {"shard": digest, "how": how}, (raw / f"{name}.parquet", *common))
        for common in [(language, clean, wanted)]
        for name, digest in shards.items()
    ]
    measurements = step.shards.build(engine, measure_shard, measured, step.out)
    paths = list_paths(clean, directory)
    rules = {"how": how, **_rules(clean, wanted, paths)}
    requests = _takedowns(raw, list(shards), directory / takedown if takedown else None, engine)
    tasks = [
        ShardTask(
            name,
            {"shard": digest, **rules, "takedowns": hit},
            (step.out / f"{name}.parquet", language, clean, wanted, paths, hit),
        )
        for (name, digest), hit in zip(shards.items(), requests, strict=True)
    ]
    decisions = place.shards.build(engine, decide_shard, tasks, place.out)
    accounts = Accounts.total(report.accounts for report in decisions if report.accounts)
    _require_survivors(raw, accounts)
    write_samples(sorted(place.out.glob("*.samples.jsonl")), place.out)
    draw_lengths(decisions, place.out)
    return Report(_metrics(measurements, decisions, accounts), accounts)


def _rules(clean: Clean, wanted: Mapping[str, Any], paths: Mapping[str, Path]) -> dict[str, Any]:
    """What deciding depends on beside measuring and takedowns."""
    return {
        "filters": {name: identity(section) for name, section in wanted.items()},
        "licences": list(clean.licences),
        "words": [identity(words) for words in clean.words],
        "lists": {name: sha256_of(path) for name, path in paths.items() if path.is_file()},
    }


def _takedowns(
    raw: Path, shards: Sequence[str], path: Path | None, engine: CorpusEngine
) -> list[list[str]]:
    """For each shard the requests that concern it."""
    entries = read_takedowns(path)
    if not entries:
        return [[] for _ in shards]
    calls = [(raw / f"{name}.parquet", entries) for name in shards]
    return engine.map(takedowns_in, calls, "takedown")


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
        " language_score not too high? too_short: [clean.length]) or at the crawl sources."
    )


def _metrics(
    measurements: Sequence[Report], decisions: Sequence[Report], accounts: Accounts
) -> dict[str, Any]:
    changes = ("boilerplate_lines", *(f"personal_data_{kind}" for kind in KINDS))
    return {
        **shard_counts(decisions),
        "shards_measured": shard_counts(measurements)["shards_built"],
        "documents": accounts.kept.documents,
        "kept_share": round(accounts.kept.documents / accounts.entered.documents, 4),
        **{f"dropped_{reason}": n.documents for reason, n in accounts.dropped.items()},
        **{name: sum(r.metrics.get(name, 0) for r in decisions) for name in changes},
        **throughput(_work(measurements, decisions)),
    }


def _work(
    measurements: Sequence[Report], decisions: Sequence[Report]
) -> Iterator[tuple[int, float]]:
    """Bytes of crawled text and processor seconds of the shards that were measured now."""
    for measured, decided in zip(measurements, decisions, strict=True):
        if decided.accounts and not measured.metrics["shard_reused"]:
            seconds = measured.metrics["measure_seconds"] + decided.metrics["decide_seconds"]
            yield decided.accounts.entered.bytes, seconds
