"""Near-duplicate removal beside its peers: speed, memory, recall, precision, growth, refresh.

Real pages with planted copies where text lies beside the project, composed ones elsewhere; the
truth is every pair at or above a Jaccard similarity of 0.8 over 5-character shingles of text folded
alike for all (`benchmarks.dedup_truth`). Recall: the share of true pairs whose documents end in one
cluster. Precision: the share of removed documents that are at least 0.8 similar to some document of
their cluster. All contenders run on one core in processes of their own; the peers get texts in
memory (`benchmarks/peers/run_dedup.py`), and as much of them as they do in about half a minute.
"nativize, in memory" is the same task; "nativize" is the whole stage, Parquet in, corpus out, every
candidate compared exactly. Run it by ``make bench NAME=dedup``; ``--full`` grows to 1 GB.
"""

import argparse
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import dedup_exchange, dedup_limits, dedup_tables, real_text, record
from benchmarks.dedup_data import (
    SHORT_IN_A_SHARD,
    edited,
    grown,
    mixed,
    short_texts,
    write_shards,
)
from benchmarks.dedup_ours import in_a_process
from benchmarks.dedup_truth import THRESHOLD, Pairs, head, truth
from benchmarks.peers import environment
from nativize.recipe import Crawl

ROOT = Path(__file__).resolve().parent.parent
SHARDS = 8
OURS = {
    "nativize, in memory": "memory", "nativize": "stage", "nativize, with pictures": "pictures",
    "nativize, unverified": "unverified",
}  # fmt: skip
"""What `benchmarks.dedup_ours` calls them."""
PEERS = {
    "datasketch-loop": 4, "datasketch-bulk": 16, "rensa": 51, "daft": 51, "text-dedup": 16,
    "datatrove": 6,
}  # fmt: skip
"""Megabytes that each gets."""
CUTS_WORDS = ("datatrove",)
"""Peers that cut text without spaces into words, by a dictionary of one language."""
GROWTH_MEGABYTES = (10, 50, 200)
FULL_MEGABYTES = (*GROWTH_MEGABYTES, 1_000)
REFRESH_COPIES = 0.29
TURNS = 3
"""In each of which every contender runs once, so that a slow spell of the machine meets them all;
of each the middle one by time counts."""
REFRESHES = 5
"""Turns of a first walk and a refresh."""
SHORT_SHARDS = (5, 15)
SHARD_BYTES = Crawl.model_fields["shard_text_bytes"].default
README_BEGIN = "<!-- dedup: written by `python -m benchmarks.dedup --readme` -->"
README_END = "<!-- /dedup -->"

Answer = dict[str, Any]
"""Of a run: seconds, peak_mb, pairs, of ours content."""


@dataclass(frozen=True)
class Result:
    """One contender: throughput by processor time, and what it found of the truth."""

    name: str
    megabytes: float
    megabytes_per_second: float
    documents_per_second: float
    peak_megabytes: float
    recall: float
    precision: float


@dataclass(frozen=True)
class Grown:
    """The whole stage over so much text."""

    megabytes: float
    documents: int
    megabytes_per_second: float
    peak_megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=51.0, help="UTF-8 text, about")
    parser.add_argument("--full", action="store_true", help="grow to 1 GB")
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    parser.add_argument("--without-peers", action="store_true", help="measure ours alone")
    options = parser.parse_args()
    texts = mixed(int(options.megabytes * 1e6))
    print(f"{len(texts)} documents, {size_of(texts):.1f} MB; finding the truth")
    pairs = truth(texts)
    print(f"{len(pairs)} pairs at or above {THRESHOLD}")
    results = side_by_side(texts, pairs, {} if options.without_peers else PEERS)
    show(results)
    dedup_tables.main()
    limits = dedup_limits.main(texts[:4_000])
    curve = growth(FULL_MEGABYTES if options.full else GROWTH_MEGABYTES)
    per_million = memory_per_million()
    refresh = refresh_ratio(FULL_MEGABYTES[-1] if options.full else GROWTH_MEGABYTES[-1])
    figures = figures_of(results, per_million, refresh)
    exchange = {} if options.without_peers else dedup_exchange.main()
    write_results(results, curve, limits, exchange, figures)
    if options.readme:
        record.write_readme(README_BEGIN, README_END, readme_table(record.read_results("dedup")))
    print("figures: " + " ".join(f"{key}={value}" for key, value in figures.items()))


def figures_of(results: Sequence[Result], per_million: float, refresh: float) -> dict[str, float]:
    by_name = {result.name: result for result in results}
    memory, whole = by_name["nativize, in memory"], by_name["nativize"]
    peers = [
        result.megabytes_per_second
        for result in results
        if result.name in PEERS and result.name not in CUTS_WORDS
    ]
    figures = {
        "mb_s": round(memory.megabytes_per_second, 1),
        "stage_mb_s": round(whole.megabytes_per_second, 1),
        "speed_ratio": round(memory.megabytes_per_second / max(peers), 1) if peers else 0.0,
        "stage_ratio": round(whole.megabytes_per_second / max(peers), 1) if peers else 0.0,
        "recall": round(whole.recall, 5),
        "precision": round(whole.precision, 5),
        "mb_per_million": round(per_million),
        "refresh_ratio": round(refresh, 4),
    }
    return figures if peers else {k: v for k, v in figures.items() if "ratio" not in k[:11]}


def size_of(texts: Iterable[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def side_by_side(texts: Sequence[str], pairs: Pairs, peers: Mapping[str, int]) -> list[Result]:
    """Ours over all texts and each peer over as many megabytes as it gets, by turns."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_documents(root / "documents.jsonl", texts)
        write_shards(root / "in", texts, SHARDS)
        runs: dict[str, Callable[[], Answer]] = {name: partial(ours, root, name) for name in OURS}
        some = dict.fromkeys(OURS, texts)
        for name, megabytes in peers.items():
            root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            some[name] = list(real_text.up_to(int(megabytes * 1e6), texts))
            write_documents(root / "documents.jsonl", some[name])
            runs[name] = partial(peer, root, name)
        answers = by_turns(runs, TURNS)
    return [
        result(name, few, head(pairs, len(few)), middle([turn[name] for turn in answers]))
        for name, few in some.items()
    ]


def middle(answers: Sequence[Answer]) -> Answer:
    """The one in the middle by time."""
    return sorted(answers, key=lambda answer: answer["seconds"])[len(answers) // 2]


def by_turns(runs: Mapping[str, Callable[[], Answer]], turns: int) -> list[dict[str, Answer]]:
    """Of each turn what everyone answers."""
    answers = []
    for _ in range(turns):
        answers.append({name: run() for name, run in runs.items()})
        print(", ".join(f"{name} {one['seconds']:.2f} s" for name, one in answers[-1].items()))
    return answers


def ours(root: Path, name: str) -> Answer:
    shutil.rmtree(root / "store", ignore_errors=True)
    return in_a_process(OURS[name], root)


def peer(root: Path, name: str) -> Answer:
    return environment.run("run_dedup.py", str(root / "documents.jsonl"), name)


def result(name: str, texts: Sequence[str], pairs: Pairs, answer: Answer) -> Result:
    """What a contender's pairs, joined to clusters, are worth."""
    cluster = clusters(len(texts), answer["pairs"])
    found = sum(cluster[i] == cluster[j] for i, j in pairs)
    similar = {one for pair in pairs if cluster[pair[0]] == cluster[pair[1]] for one in pair}
    sizes: dict[int, list[int]] = {}
    for number, first in enumerate(cluster):
        sizes.setdefault(first, []).append(number)
    together = [members for members in sizes.values() if len(members) > 1]
    removed = sum(len(members) - 1 for members in together)
    # whoever stays has none to answer for: of each cluster as many may be right as are removed
    right = sum(min(len(m) - 1, sum(one in similar for one in m)) for m in together)
    size = size_of(texts)
    return Result(
        name,
        round(size, 1),
        round(size / answer["seconds"], 2),
        round(len(texts) / answer["seconds"], 1),
        round(answer["peak_mb"], 1),
        round(found / max(len(pairs), 1), 5),
        round(right / max(removed, 1), 5),
    )


def clusters(documents: int, pairs: Iterable[Sequence[int]]) -> list[int]:
    """For each document the first of those it is joined with."""
    parents = list(range(documents))

    def root(one: int) -> int:
        while parents[one] != one:
            parents[one] = parents[parents[one]]
            one = parents[one]
        return one

    for first, second in pairs:
        one, other = root(first), root(second)
        parents[max(one, other)] = min(one, other)
    return [root(one) for one in range(documents)]


def write_documents(path: Path, texts: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for number, text in enumerate(texts):
            lines.write(json.dumps({"id": str(number), "text": text}) + "\n")


def growth(sizes: Sequence[int]) -> list[Grown]:
    """The whole stage over more and more text, in shards of the size that recipes have."""
    curve = []
    for megabytes in sizes:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            documents = write_grown(root / "in", megabytes)
            answer = in_a_process("stage", root)
        rate = megabytes / answer["seconds"]
        curve.append(Grown(megabytes, documents, round(rate, 1), round(answer["peak_mb"], 1)))
        print(f"{megabytes} MB, {documents} documents: {rate:.1f} MB/s, {answer['peak_mb']:.0f} MB")
    return curve


def write_grown(directory: Path, megabytes: float) -> int:
    """Shards of grown text; how many documents."""
    written = 0
    for texts in portions(grown(int(megabytes * 1e6)), SHARD_BYTES):
        write_shards(directory, texts, 1, first=written)
        written += len(texts)
    return written


def portions(texts: Iterator[str], size: float) -> Iterator[list[str]]:
    part: list[str] = []
    left = size
    for text in texts:
        part.append(text)
        left -= len(text.encode())
        if left <= 0:
            yield part
            part, left = [], size
    if part:
        yield part


def memory_per_million() -> float:
    """Megabytes that a million documents more take; short ones, so that nothing else grows."""
    peaks = []
    for shards in SHORT_SHARDS:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            for shard in range(shards):
                texts = short_texts(shard)
                write_shards(root / "in", texts, 1, first=shard * len(texts))
            peaks.append(in_a_process("stage", root)["peak_mb"])
        print(f"{shards * SHORT_IN_A_SHARD:,} short documents: {peaks[-1]:.0f} MB")
    few, many = SHORT_SHARDS
    return float(1e6 * (peaks[1] - peaks[0]) / ((many - few) * SHORT_IN_A_SHARD))


def refresh_ratio(megabytes: int) -> float:
    """Processor time of 1 % new documents, 29 % of them copies, as a share of the first run's.

    The middle one of some turns, in each of which both are measured.
    """
    with tempfile.TemporaryDirectory() as directory:
        before, after = Path(directory) / "before", Path(directory) / "after"
        documents = write_grown(before / "in", megabytes)
        fresh = new_documents(megabytes, documents // 100, random.Random(11))
        shutil.copytree(before / "in", after / "in", copy_function=os.link)
        write_shards(after / "in", fresh, 1, first=documents)

        def full() -> Answer:
            return ours(before, "nativize")

        def refresh() -> Answer:
            shutil.rmtree(after / "store", ignore_errors=True)
            shutil.copytree(before / "store", after / "store", copy_function=os.link)
            return in_a_process("stage", after)

        turns = by_turns({"full": full, "refresh": refresh}, REFRESHES)
        if ours(after, "nativize")["content"] != turns[0]["refresh"]["content"]:
            raise SystemExit("a refresh differs from a run from scratch")
    return float(median(turn["refresh"]["seconds"] / turn["full"]["seconds"] for turn in turns))


def new_documents(megabytes: int, count: int, generator: random.Random) -> list[str]:
    """Copies of documents spread over the whole corpus, and texts that nobody has."""
    copies = int(REFRESH_COPIES * count)
    every = list(grown(int(megabytes * 1e6)))
    chosen = generator.sample(every, count)
    others = ["".join(generator.sample(text, len(text))) for text in chosen[copies:]]
    return [edited(text, every[:200], generator) for text in chosen[:copies]] + others


def show(results: Sequence[Result]) -> None:
    head_line = (
        f"{'':24}{'MB':>7}{'MB/s':>8}{'docs/s':>9}{'peak MB':>9}{'recall':>9}{'precision':>11}"
    )
    print(f"\n{head_line}")
    for line in results:
        print(
            f"{line.name:24}{line.megabytes:7.1f}{line.megabytes_per_second:8.2f}"
            f"{line.documents_per_second:9.0f}{line.peak_megabytes:9.0f}{line.recall:9.4f}"
            f"{line.precision:11.4f}"
        )


def write_results(
    results: Sequence[Result],
    curve: Sequence[Grown],
    limits: dict[str, float],
    exchange: dict[str, float],
    figures: dict[str, float],
) -> None:
    found = {
        "figures": figures,
        "results": [asdict(result) for result in results],
        "growth": [asdict(point) for point in curve],
        "limits": {name: round(value, 3) for name, value in limits.items()},
        "exchange_seconds": {name: round(value, 2) for name, value in exchange.items()},
        "peers": environment.REQUIREMENTS.read_text("utf-8").splitlines()[1:],
    }
    record.write_results("dedup", found, ("numba", "numpy", "pyarrow"))


def readme_table(content: Mapping[str, Any]) -> str:
    """The results as the README shows them."""
    lines = ["| one core | MB | MB/s | peak MB | recall | precision |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {one['name']} | {one['megabytes']:.0f} | {one['megabytes_per_second']:.2f}"
        f" | {one['peak_megabytes']:.0f} | {one['recall']:.4f} | {one['precision']:.4f} |"
        for one in content["results"]
    ]
    figures, last = content["figures"], content["growth"][-1]
    lines += [
        "",
        f"In memory {figures['speed_ratio']} times, as a stage {figures['stage_ratio']} times the"
        f" fastest peer for text without spaces. {last['megabytes']:,.0f} MB in"
        f" {last['documents']:,} documents: {last['megabytes_per_second']} MB/s and"
        f" {last['peak_megabytes']:.0f} MB of memory; a million documents more take"
        f" {figures['mb_per_million']} MB. 1 % new documents cost"
        f" {100 * figures['refresh_ratio']:.1f} % of the first walk.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
