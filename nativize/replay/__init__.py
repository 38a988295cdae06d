"""The old language's corpus, against forgetting: the corpus stages on sources of its own."""

from pathlib import Path

from nativize.artifact import Report, Stage, Workplace
from nativize.clean import filter_shards
from nativize.crawl import read_crawl
from nativize.dedup import VOLATILE, deduplicate
from nativize.engine import CorpusEngine
from nativize.recipe import Crawl, Replay

REPLAY = Stage("replay_corpus", 5, "corpus", reads=("replay",), volatile=VOLATILE)


def replay_crawl(replay: Replay) -> Crawl:
    """The replay sources as a crawl of their own."""
    return Crawl(source=replay.source)


def make_replay_corpus(
    place: Workplace,
    *,
    replay: Replay,
    takedown: str | None,
    directory: Path,
    engine: CorpusEngine,
) -> Report:
    """The old language's text, read, filtered and deduplicated; not scored.

    Args:
        place: gets shards, the fates of their documents and the table of clusters.
        replay: language, sources and settings of the old language.
        takedown: the recipe's list of removed documents, if it has one.
        directory: the recipe's; source globs and lists are relative to it.
        engine: where shards are worked on.
    """
    crawl = replay_crawl(replay)
    raw, filtered = place.step("raw"), place.step("filtered")
    read = read_crawl(raw, crawl=crawl, directory=directory, engine=engine)
    kept = filter_shards(
        raw.out,
        filtered,
        language=replay.language,
        clean=replay.clean,
        takedown=takedown,
        directory=directory,
        engine=engine,
    )
    report = deduplicate(
        filtered.out,
        place,
        language=replay.language,
        dedup=replay.dedup,
        buckets=None,
        directory=directory,
        engine=engine,
    )
    steps = {"read": read, "filtered": kept}
    metrics = {
        f"{step}_{key}": v for step, part in steps.items() for key, v in part.metrics.items()
    }
    return Report({**metrics, **report.metrics}, report.accounts)
