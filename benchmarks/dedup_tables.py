"""Real near duplicates with published answers: versions of manuals, editions of novels.

PowerShell's manual in three versions: exact similarities of all pairs at or above 0.4, by word
5-grams. Aozora's editions of the same work, old and new spelling: by character 5-grams. Both tables
were computed by others' rules (``\\w+``, lower case; text between header and colophon), so the
similarities differ a little; how much is a part of the figures.
"""

import csv
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zstandard

from benchmarks import real_text
from benchmarks.dedup_data import write_shards
from benchmarks.dedup_ours import in_a_process
from nativize.dedup.compare import similarities
from nativize.dedup.shingles import Shingling
from nativize.recipe import Dedup, Fold, Language
from nativize.texts import Texts

TABLES = real_text.DATA / "dedup"
THRESHOLD = 0.8
Row = tuple[str, str, float]


def main() -> None:
    """Prints how the stage and our exact similarity agree with both tables."""
    if not TABLES.exists():
        print("\nreal tables: not measured, their text does not lie beside the project")
        return
    print(f"\n{'table':12}{'pairs':>7}{'similarity differs by':>23}{'at 0.8':>8}{'together':>10}")
    english = Language(code="en", shingle="words")
    _tell("PowerShell", list(_powershell()), _pack("en_powershell_a.tar.zst", "utf-8"), english)
    _tell("Aozora", list(_aozora()), _pack("ja_aozora_a.tar.zst", "cp932"), Language(code="ja"))


def _tell(name: str, rows: list[Row], texts: dict[str, str], language: Language) -> None:
    """Median and greatest difference of similarity; agreement; how many of the pairs are joined."""
    rows = [row for row in rows if row[0] in texts and row[1] in texts]
    names = sorted({name for row in rows for name in row[:2]})
    number = {name: at for at, name in enumerate(names)}
    written = [texts[name] for name in names]
    pairs = np.array([(number[a], number[b]) for a, b, _ in rows], np.int64)
    told = np.array([similarity for *_, similarity in rows])
    how = Shingling.of(language, Dedup(fold=Fold()))
    found = similarities(Texts.of(written), pairs, how)
    clear = np.abs(told - THRESHOLD) > 0.02
    agree = ((found >= THRESHOLD) == (told >= THRESHOLD))[clear].mean()
    cluster = _clusters(written, language)
    alike = found >= THRESHOLD
    together = np.mean([cluster[a] == cluster[b] for a, b in pairs[alike].tolist()])
    difference = np.abs(found - told)
    middle, most = np.median(difference), np.quantile(difference, 0.95)
    print(
        f"{name:12}{len(rows):7}{middle:12.4f} (p95 {most:.3f})"
        f"{100 * agree:7.1f} %{100 * together:8.2f} %"
    )


def _clusters(texts: list[str], language: Language) -> list[int]:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        write_shards(root / "in", texts, 4)
        kind = "words" if language.shingle == "words" else "punctuation"
        answer = in_a_process(kind, root)
    first = list(range(len(texts)))
    for kept, lost in answer["pairs"]:
        first[lost] = kept
    return first


def _powershell() -> Iterator[Row]:
    with (TABLES / "powershell_a_exact_jaccard.tsv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            yield row["doc_a"], row["doc_b"], float(row["jaccard"])


def _aozora() -> Iterator[Row]:
    with (TABLES / "ja_aozora_a_same_title.tsv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            yield row["path_a"], row["path_b"], float(row["char5_jaccard"])


def _pack(name: str, encoding: str) -> dict[str, str]:
    """Text of every file of a pack."""
    with (
        (real_text.TEXT / name).open("rb") as packed,
        zstandard.ZstdDecompressor().stream_reader(packed) as unpacked,
        tarfile.open(fileobj=unpacked, mode="r|") as archive,
    ):
        found = {}
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                found[member.name] = _body(file.read().decode(encoding, "replace"))
        return found


def _body(text: str) -> str:
    """Without ruby and editor's notes, header's legend and colophon, where there are any."""
    for pattern in (real_text.LEGEND, real_text.COLOPHON, real_text.RUBY):
        text = pattern.sub("", text)
    return text
