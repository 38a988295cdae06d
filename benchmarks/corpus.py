"""Corpus filters: ours beside HojiChar and datatrove, on the same documents in the same run.

Documents are real text where it lies beside the project, composed text elsewhere. Every contender
is one process on one core, best of some runs, without start-up and loading of dictionaries, from
file to file: Parquet shards for ours, JSON lines for the peers. Ours asks for language and mojibake
too, normalises, takes out boilerplate and personal data, and measures every document to the end,
where the peers stop at the first filter that drops it. All go over a head of the corpus, ours and
HojiChar over all of it too. Run it by `python -m benchmarks.corpus`; the first run installs the
peers into an environment of their own under NATIVIZE_HOME.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import real_text, record
from benchmarks.corpus_ours import write
from benchmarks.peers import environment

LANGUAGES = ("ja", "zh", "en")
AS_PEERS = {
    "ja": {"as HojiChar": {"preset": "hojichar"}, "as FineWeb-2": {"preset": "fineweb2_ja"}},
    "zh": {"as FineWeb-2": {"preset": "fineweb2_zh"}},
    "en": {"as FineWeb": {"preset": "fineweb"}},
}
"""Our own with a peer's filters, beside the preset of the language."""

HOJICHAR = "HojiChar, 12 filters"
OF_ALL = ", all"
"""Behind the name of a contender that went over the whole corpus."""
COUNTERPARTS = {
    "nativize as HojiChar": HOJICHAR,
    "nativize as FineWeb-2": "datatrove",
    "nativize as FineWeb": "datatrove",
}
"""Whose decisions ours are held to. Words differ: characters stand for them in ja and zh."""

BARE: dict[str, Any] = {
    "preset": "none",
    "normalisation": {"form": "none"},
    "boilerplate_lines": False,
    "personal_data": [],
}
ALONE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "normalisation": {"normalisation": {}},
    "boilerplate_lines": {"boilerplate_lines": True},
    "personal_data": {"personal_data": ["mail", "phone", "ip", "card"]},
    "length": {"length": {}},
    "language_score": {"language_score": {"minimum": 0.0001}},
    "script": {"script": {}},
    "gopher_quality": {"gopher_quality": {}},
    "gopher_repetition": {"gopher_repetition": {}},
    "c4": {"c4": {}},
    "fineweb": {"fineweb": {}},
    "hojichar": {"hojichar": {}},
    "swallow": {"swallow": {}},
}
"""One step of [clean] at a time; "nothing" reads and writes."""

README_BEGIN = "<!-- corpus: written by `python -m benchmarks.corpus --readme` -->"
README_END = "<!-- /corpus -->"
SHORTEST_SECONDS = 2.0
REFRESH_SHARDS, NEW_SHARDS = 100, 1
REFRESH_SHARD_BYTES = 4_000_000
GROWTH = 10

Documents = Sequence[tuple[str, str]]
Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """One contender on some documents of one language.

    A processor share below 1 says that the machine was busy with something else (or waited for
    its disk), above 1 that more than one core was at work.
    """

    name: str
    language: str
    documents: int
    megabytes: float
    megabytes_per_second: float
    milliseconds_per_1000: float
    processor_share: float
    kept_share: float
    peak_mb: float
    kept: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class Corpus:
    """Documents of one language as files: JSON lines for the peers, a shard for ours."""

    language: str
    documents: Documents
    lines: Path
    shard: Path

    @property
    def megabytes(self) -> float:
        return sum(len(text.encode()) for _, text in self.documents) / 1e6


def main() -> None:
    options = parsed()
    if not options.without_peers:
        environment.install()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        results = [
            result
            for language in options.languages
            for result in compare(place / language, language, options)
        ]
        first = options.languages[0]
        alone = each_alone(laid_out(place / "alone", first, options.subset), options.repeats)
        refresh = refresh_ratio(place / "refresh", first)
        peaks = grown_peaks(place / "grown", first, options.subset)
    print_alone(alone)
    print(f"\nrefresh with {NEW_SHARDS} of {REFRESH_SHARDS} shards new: {refresh:.3f} of all")
    print(f"peak memory: {peaks[0]:.0f} MB, {peaks[1]:.0f} MB at {GROWTH} times the documents")
    write_results(results, alone, refresh, peaks)
    if options.readme:
        record.write_readme(README_BEGIN, README_END, readme_table(record.read_results("corpus")))
    print("figures: " + " ".join(f"{k}={v}" for k, v in figures(results, refresh, peaks)))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=30.0, help="for ours, a language")
    parser.add_argument("--subset", type=float, default=4.0, help="megabytes for all")
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the best counts")
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=list(LANGUAGES))
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    parser.add_argument("--without-peers", action="store_true", help="measure ours alone")
    return parser.parse_args()


def compare(place: Path, language: str, options: argparse.Namespace) -> list[Result]:
    """All contenders on the subset, then ours on the whole corpus; each is told at once."""
    subset = laid_out(place / "subset", language, options.subset)
    print(
        f"\n{language}: {len(subset.documents)} documents, {subset.megabytes:.1f} MB"
        f" ({real_text.source(language)})"
    )
    print(f"{'':24}{'MB/s':>9}{'ms/1000 docs':>14}{'CPU':>6}{'kept':>7}{'peak MB':>9}")
    runs = contenders(subset, with_peers=not options.without_peers)
    results = [told(best(name, subset, run, options.repeats)) for name, run in runs.items()]
    whole = laid_out(place / "whole", language, options.megabytes)
    for name, run in quick(whole, with_peers=not options.without_peers).items():
        results.append(told(best(name + OF_ALL, whole, run, options.repeats)))
    for one, other, share in alike(results):
        print(f"decided alike by {one} and {other}: {share:.3f}")
    return results


def alike(results: Sequence[Result]) -> list[tuple[str, str, float]]:
    """Share of the subset on which one of ours and its counterpart decide the same."""
    found = {result.name: result for result in results}
    return [
        (one, other, 1 - len(found[one].kept ^ found[other].kept) / found[one].documents)
        for one, other in COUNTERPARTS.items()
        if one in found and other in found
    ]


def laid_out(place: Path, language: str, megabytes: float, times: int = 1) -> Corpus:
    """Documents written for both sides; with ``times`` each stands there so often."""
    place.mkdir(parents=True)
    texts = real_text.documents(language, int(megabytes * 1e6)) * times
    documents = [(f"{number:08d}", text) for number, text in enumerate(texts)]
    corpus = Corpus(language, documents, place / "documents.jsonl", place / "shard.parquet")
    write(corpus.shard, documents)
    with corpus.lines.open("w", encoding="utf-8") as lines:
        lines.writelines(
            json.dumps({"id": n, "text": text}, ensure_ascii=False) + "\n" for n, text in documents
        )
    return corpus


def contenders(corpus: Corpus, *, with_peers: bool) -> dict[str, Callable[[], Answer]]:
    """Each contender's name and one run of it."""
    found: dict[str, Callable[[], Answer]] = {"nativize": lambda: ours(corpus, {})}
    for name, clean in AS_PEERS[corpus.language].items():
        found[f"nativize {name}"] = lambda clean=clean: ours(corpus, clean)
    if not with_peers:
        return found
    lines, language = str(corpus.lines), corpus.language
    if language == "ja":
        found[HOJICHAR] = lambda: environment.run("run_hojichar.py", lines, "standard")
        found["HojiChar with words"] = lambda: environment.run("run_hojichar.py", lines, "words")
    found["datatrove"] = lambda: environment.run("run_datatrove.py", lines, language)
    return found


def quick(corpus: Corpus, *, with_peers: bool) -> dict[str, Callable[[], Answer]]:
    """Those of the contenders that get through the whole corpus in less than a minute."""
    runs = contenders(corpus, with_peers=with_peers)
    return {name: runs[name] for name in ("nativize", HOJICHAR) if name in runs}


def ours(corpus: Corpus, clean: Mapping[str, Any]) -> Answer:
    """Seconds, kept ids and peak memory of our stage on the shard, in a process of its own."""
    return ours_run("shard", corpus.shard, language=corpus.language, clean=clean)


def ours_run(command: str, *inputs: Path, language: str, clean: Mapping[str, Any]) -> Answer:
    settings = ("--language", language, "--clean", json.dumps(clean))
    module = (sys.executable, "-m", "benchmarks.corpus_ours", command)
    done = subprocess.run(
        [*module, *map(str, inputs), *settings],
        cwd=real_text.ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: Answer = json.loads(done.stdout.splitlines()[-1])
    return answer


def best(
    name: str,
    corpus: Corpus,
    run: Callable[[], Answer],
    repeats: int,
    shortest: float = SHORTEST_SECONDS,
) -> Result:
    """The fastest of some runs; a run of a quarter of a second is repeated until it counts."""
    answers: list[Answer] = []
    while len(answers) < repeats or sum(answer["seconds"] for answer in answers) < shortest:
        answers.append(run())
    fastest = min(answers, key=lambda answer: float(answer["seconds"]))
    seconds = fastest["seconds"]
    count = len(corpus.documents)
    return Result(
        name=name,
        language=corpus.language,
        documents=count,
        megabytes=round(corpus.megabytes, 2),
        megabytes_per_second=corpus.megabytes / seconds,
        milliseconds_per_1000=1e6 * seconds / count,
        processor_share=fastest["cpu_seconds"] / seconds,
        kept_share=len(answers[0]["kept"]) / count,
        peak_mb=max(answer["peak_mb"] for answer in answers),
        kept=frozenset(answers[0]["kept"]),
    )


def told(result: Result) -> Result:
    print(
        f"{result.name:24}{result.megabytes_per_second:9.2f}{result.milliseconds_per_1000:14.0f}"
        f"{result.processor_share:6.2f}{result.kept_share:7.3f}{result.peak_mb:9.0f}",
        flush=True,
    )
    return result


def each_alone(corpus: Corpus, repeats: int) -> dict[str, float]:
    """Seconds a megabyte of every step alone; reading, all statistics and writing are in each."""
    return {
        name: 1
        / best(
            name, corpus, lambda s=step: ours(corpus, {**BARE, **s}), repeats, shortest=0
        ).megabytes_per_second
        for name, step in ALONE.items()
    }


def print_alone(alone: Mapping[str, float]) -> None:
    print("\nms a MB, each step alone, beyond reading, measuring and writing")
    for name, seconds in alone.items():
        spent = seconds if name == "nothing" else seconds - alone["nothing"]
        print(f"{name:24}{1e3 * spent:9.2f}")


def refresh_ratio(place: Path, language: str) -> float:
    """Seconds of a walk with a few new shards, over those of the first walk over all."""
    shards = REFRESH_SHARDS + NEW_SHARDS
    texts = real_text.documents(language, REFRESH_SHARD_BYTES)
    old, new = place / "old", place / "new"
    for directory in (old, new):
        directory.mkdir(parents=True)
    for number in range(shards):
        some = [(f"{number}-{at}", f"{number} {text}") for at, text in enumerate(texts)]
        write((old if number < REFRESH_SHARDS else new) / f"{number:04d}.parquet", some)
    answer = ours_run("refresh", old, new, language=language, clean={})
    return float(answer["refresh_seconds"] / answer["first_seconds"])


def grown_peaks(place: Path, language: str, megabytes: float) -> tuple[float, float]:
    """Peak memory on a shard, and on one with so many times the documents."""
    sizes = (("one", 1), ("grown", GROWTH))
    corpora = [laid_out(place / name, language, megabytes, times) for name, times in sizes]
    one, grown = (float(ours(corpus, {})["peak_mb"]) for corpus in corpora)
    return one, grown


def figures(
    results: Sequence[Result], refresh: float, peaks: tuple[float, float]
) -> list[tuple[str, str]]:
    """The line's figures: ours on the whole corpus, and how many times a peer on the subset."""
    speed = {(result.language, result.name): result.megabytes_per_second for result in results}
    found = [
        (f"{language}_mb_s", f"{value:.1f}")
        for (language, name), value in speed.items()
        if name == "nativize" + OF_ALL
    ]
    ratios = (
        ("vs_hojichar", "ja", HOJICHAR, OF_ALL),
        ("vs_datatrove", "ja", "datatrove", ""),
        ("vs_datatrove_en", "en", "datatrove", ""),
    )
    for key, language, peer, which in ratios:
        if (language, peer + which) in speed:
            times = speed[language, "nativize" + which] / speed[language, peer + which]
            found.append((key, f"{times:.1f}"))
    return [*found, ("refresh_ratio", f"{refresh:.3f}"), ("peak_mb", f"{peaks[1]:.0f}")]


def readme_table(content: Mapping[str, Any]) -> str:
    """The results on the documents that all went over, as the README shows them."""
    lines = ["| documents | | MB/s | kept | peak MB |", "|---|---|---|---|---|"]
    for one in content["results"]:
        if " as " not in one["name"]:
            name = one["name"].removesuffix(OF_ALL)
            lines.append(
                f"| {one['language']}, {one['megabytes']:.0f} MB | {name}"
                f" | {one['megabytes_per_second']:.2f} | {one['kept_share']:.2f}"
                f" | {one['peak_mb']:.0f} |"
            )
    share = f"{100 * content['refresh_ratio']:.1f} %"
    lines += [
        "",
        f"One new shard beside {REFRESH_SHARDS} old ones costs {share} of the first walk.",
    ]
    return "\n".join(lines)


def write_results(
    results: Sequence[Result],
    alone: Mapping[str, float],
    refresh: float,
    peaks: tuple[float, float],
) -> None:
    found = {
        "text": real_text.source("ja"),
        "results": [without_ids(result) for result in results],
        "seconds_per_megabyte_alone": alone,
        "refresh_ratio": round(refresh, 4),
        "peak_mb": {"1": round(peaks[0]), str(GROWTH): round(peaks[1])},
        "peers": [
            line
            for line in environment.REQUIREMENTS.read_text("utf-8").splitlines()
            if not line.startswith("#")
        ],
    }
    record.write_results("corpus", found, ("numba", "numpy", "pyarrow"))


def without_ids(result: Result) -> dict[str, Any]:
    return {name: value for name, value in asdict(result).items() if name != "kept"}


if __name__ == "__main__":
    try:
        main()
    except environment.PeersError as error:
        sys.exit(str(error))
