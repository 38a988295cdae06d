"""What a person sees of deduplication in the UI: curve, sizes, examples."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nativize.artifact import REPORT, Report, ShardTask, Workplace
from nativize.dedup.banding import measure_detection, measurement_identity, sample_of
from nativize.dedup.compare import similarities
from nativize.dedup.contamination import Contamination
from nativize.dedup.documents import Documents, Numbers
from nativize.dedup.frequent_lines import LineCuts
from nativize.dedup.picture import draw_cluster_sizes, draw_detection
from nativize.dedup.report import (
    ExamplePair,
    choose_examples,
    evaluation_table,
    examples,
    largest_clusters,
)
from nativize.dedup.sign import Signing, hashes_of
from nativize.dedup.sketch import sign
from nativize.dedup.stored import read_rows
from nativize.engine import CorpusEngine
from nativize.texts import Texts

CURVE = "scurve"


def show(
    documents: Documents,
    signing: Signing,
    table: pa.Table,
    place: Workplace,
    engine: CorpusEngine,
) -> None:
    """Pictures and tables below report/; the curve is drawn again only for other texts."""
    report = place.out / REPORT
    if signing.dedup.near:
        _show_curve(documents, signing, place, engine)
    by_text = table.filter(pc.not_equal(table["kind"], "url"))
    if len(by_text):
        sizes = by_text.group_by("cluster").aggregate([("id", "count")])["id_count"].to_numpy()
        draw_cluster_sizes(sizes, report / "cluster_sizes.png")
        _write(report / "largest_clusters.json", largest_clusters(by_text))
        _write(report / "examples.json", examples(_example_pairs(documents, table)))


def show_tables(place: Workplace, contamination: Contamination, cuts: LineCuts) -> None:
    """What was found of evaluation sets and which lines were cut, where these steps are on."""
    report = place.out / REPORT
    report.mkdir(exist_ok=True)
    if contamination.files:
        _write(report / "evaluation_sets.json", evaluation_table(contamination.files))
        _write(report / "evaluation_pieces.json", contamination.shown)
    if cuts.shown:
        _write(report / "frequent_lines.json", cuts.shown)


def _write(path: Path, table: object) -> None:
    path.write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")


def _show_curve(
    documents: Documents, signing: Signing, place: Workplace, engine: CorpusEngine
) -> None:
    sample = np.sort(sample_of(documents.column("digest_high")))
    texts = texts_of(documents, sample)
    measurement = measurement_identity(texts, signing.banding(), signing.dedup.seed)
    identity = {**measurement, **signing.identity(), "threshold": signing.dedup.threshold}
    task = ShardTask(CURVE, identity, (texts, signing))
    place.step(CURVE).shards.build(engine, draw_curve, [task], place.out / REPORT)


def draw_curve(texts: Sequence[str], signing: Signing, out: Path) -> Report:
    """The S-curve with the recall measured on copies of some texts with planted edits."""
    how, banding, dedup = signing.shingling(), signing.banding(), signing.dedup

    def band_hashes(some: Sequence[str]) -> NDArray[np.uint32]:
        return sign(
            Texts.of(some), how, permutations=banding.values, bands=banding.bands, rows=banding.rows
        ).bands

    def similarity(some: Sequence[str], pairs: Numbers) -> NDArray[np.float64]:
        return similarities(Texts.of(some), pairs, how)

    measured = measure_detection(texts, band_hashes, similarity, dedup.seed)
    draw_detection(banding, dedup.threshold, measured, out / f"{CURVE}.png")
    return Report()


def _example_pairs(documents: Documents, table: pa.Table) -> list[ExamplePair]:
    lost = table.filter(pc.not_equal(table["kept"], table["id"]))
    kept = lost["kept"].dictionary_encode().combine_chunks().indices.to_numpy()
    chosen = choose_examples(
        lost["similarity"].to_numpy(), pc.equal(lost["kind"], "near").to_numpy(), kept
    )
    rows = lost.take(pa.array(chosen)).to_pylist()
    wanted = sorted({row[name] for row in rows for name in ("id", "kept")})
    hashes = hashes_of(Texts.of(wanted))
    # another document may have the hash of one of these; it is only read in vain
    numbers = np.flatnonzero(np.isin(documents.column("id_hash"), hashes))
    names = documents.ids(numbers).to_pylist()
    texts = dict(zip(names, texts_of(documents, numbers), strict=True))
    return [
        ExamplePair(
            row["kept"], row["id"], texts[row["kept"]], texts[row["id"]],
            1.0 if row["similarity"] is None else row["similarity"], row["kind"],
        )
        for row in rows
    ]  # fmt: skip


def texts_of(documents: Documents, numbers: Numbers) -> list[str]:
    """The texts of some sorted documents, in order."""
    found: list[str] = []
    for shard, piece in documents.by_shard(numbers):
        rows = documents.of("row", piece).astype(np.int64)
        found += read_rows(documents.shards[shard], rows).to_pylist()
    return found
