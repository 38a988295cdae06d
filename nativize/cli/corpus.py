"""Commands on text: clean, score, dedup, write-corpus."""

from pathlib import Path
from typing import Any, get_args

import click

from nativize.artifact import Report, Workplace, standalone
from nativize.cli.output import as_json, make, output
from nativize.engine import LocalEngine
from nativize.recipe import (
    Clean,
    Crawl,
    CrawlSource,
    Decontamination,
    Dedup,
    FrequentLines,
    Language,
    Quality,
)
from nativize.recipe.clean import Preset

language_option = click.option(
    "--language", "code", required=True, help="ISO 639-1 code: ja, zh, bo, en."
)
words_option = click.option(
    "--words", is_flag=True, help="Words are parted by spaces, whatever the language's script."
)
workers_option = click.option("--workers", default=0, help="Processes; 0: one per core.")


def language_of(code: str, words: bool) -> Language:
    """The language that the options describe."""
    return Language(code=code, shingle="words") if words else Language(code=code)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@language_option
@words_option
@click.option(
    "--preset",
    type=click.Choice(get_args(Preset)),
    default="auto",
    show_default=True,
    help="Filters; auto: by language.",
)
@click.option("--minimum-characters", type=int, help="Shorter documents are dropped.")
@click.option("--no-personal-data", is_flag=True, help="Leave personal data as it is.")
@click.option("--takedown", type=click.Path(path_type=Path), help="List of what to remove.")
@click.option("--licence", default="unknown", show_default=True)
@workers_option
@output
@as_json
def clean(
    files: tuple[Path, ...],
    code: str,
    words: bool,
    preset: str,
    minimum_characters: int | None,
    no_personal_data: bool,
    takedown: Path | None,
    licence: str,
    workers: int,
    output: Path,
    as_json: bool,
) -> None:
    """Read crawl FILES of any known format, normalise and filter them."""
    from nativize.clean import filter_shards
    from nativize.crawl import read_crawl

    sources = [
        CrawlSource(name=f"input-{number}", path=str(path.resolve()), licence=licence)
        for number, path in enumerate(files)
    ]
    given: dict[str, Any] = {"preset": preset}
    given |= {"personal_data": ()} if no_personal_data else {}
    if minimum_characters is not None:
        given["length"] = {"minimum_characters": minimum_characters}
    options = Clean.model_validate(given)
    engine = LocalEngine(workers)

    def stage(place: Workplace) -> Report:
        raw = place.step("raw")
        crawl = Crawl(source=tuple(sources))
        read = read_crawl(raw, crawl=crawl, directory=Path.cwd(), engine=engine)
        language = language_of(code, words)
        report = filter_shards(
            raw.out,
            place,
            language=language,
            clean=options,
            takedown=str(takedown.resolve()) if takedown else None,
            engine=engine,
        )
        metrics = {f"read_{name}": value for name, value in read.metrics.items()}
        return Report({**metrics, **report.metrics}, report.accounts)

    make(stage, output, as_json)


@click.command()
@click.argument("shards", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    required=True,
    help="Quality model; trained on SHARDS and put there where it does not exist.",
)
@language_option
@words_option
@workers_option
@output
@as_json
def score(
    shards: Path, model: Path, code: str, words: bool, workers: int, output: Path, as_json: bool
) -> None:
    """Give every document in SHARDS its perplexity and bucket."""
    from nativize.quality import score_shards, train_quality_model

    engine = LocalEngine(workers)
    if not model.exists():
        spaced = language_of(code, words).shingle == "words"
        quality = Quality(unit="words" if spaced else "characters")
        with standalone(model) as place:
            train_quality_model(
                shards, place, language=language_of(code, words), quality=quality, engine=engine
            )
    make(lambda place: score_shards(shards, model, place, engine=engine), output, as_json)


@click.command()
@click.argument("shards", type=click.Path(exists=True, path_type=Path))
@language_option
@words_option
@click.option("--threshold", default=0.8, show_default=True, help="Jaccard similarity.")
@click.option("--permutations", default=120, show_default=True, help="Values of a signature.")
@click.option("--bands", type=int, help="With --rows; default: the optimum.")
@click.option("--rows", type=int, help="Values of a band.")
@click.option("--shingle-length", default=5, show_default=True, help="Characters or words.")
@click.option("--url", is_flag=True, help="Keep one document of each URL.")
@click.option("--no-verify", is_flag=True, help="Believe candidates without comparing them.")
@click.option(
    "--lines",
    type=click.IntRange(min=2),
    metavar="N",
    help="Cut lines that N documents have from all but the best of them.",
)
@click.option(
    "--evaluation",
    multiple=True,
    metavar="GLOB",
    help="Drop what quotes these evaluation sets; can be given often.",
)
@workers_option
@output
@as_json
def dedup(
    shards: Path,
    code: str,
    words: bool,
    threshold: float,
    permutations: int,
    bands: int | None,
    rows: int | None,
    shingle_length: int,
    url: bool,
    no_verify: bool,
    lines: int | None,
    evaluation: tuple[str, ...],
    workers: int,
    output: Path,
    as_json: bool,
) -> None:
    """Say of all documents in SHARDS which stay; hold a split out by cluster.

    Duplicates go by text and by verified similarity, and on demand by URL; lines of many documents
    and what quotes evaluation sets on demand too. The shards stay as they are; write-corpus makes
    plain files of what is kept.
    """
    from nativize.dedup import deduplicate

    options = Dedup(
        threshold=threshold, permutations=permutations, bands=bands, rows=rows,
        shingle_length=shingle_length, url=url, verify=not no_verify,
        lines=FrequentLines(minimum_documents=lines) if lines else None,
        decontamination=Decontamination(files=evaluation) if evaluation else None,
    )  # fmt: skip
    make(
        lambda place: deduplicate(
            shards,
            place,
            language=language_of(code, words),
            dedup=options,
            buckets=None,
            directory=Path.cwd(),
            engine=LocalEngine(workers),
        ),
        output,
        as_json,
    )


@click.command()
@click.argument("corpus", type=click.Path(exists=True, file_okay=False, path_type=Path))
@workers_option
@output
@as_json
def write_corpus(corpus: Path, workers: int, output: Path, as_json: bool) -> None:
    """Write a deduplicated CORPUS as plain Parquet files, train/ and heldout/, for other tools.

    Only what survived, with all columns. Other commands read the CORPUS itself.
    """
    from nativize.dedup.plain import write_plain

    engine = LocalEngine(workers)
    make(lambda place: write_plain(corpus, place, engine=engine), output, as_json)
