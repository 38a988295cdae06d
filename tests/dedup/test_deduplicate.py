"""One document of each cluster survives, and everything else is explained."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nativize.artifact import REPORT, Report, file_digests
from nativize.crawl.document import SCHEMA
from nativize.dedup import DEDUPLICATE, BucketRule
from nativize.errors import CorpusError
from nativize.recipe import BucketShares
from tests.dedup.composed import (
    document,
    edited,
    fates,
    ids,
    materialise,
    numbered,
    planted,
    run,
    survivors,
    text_of,
    write_shards,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Report]:
    """Planted copies in three shards, the corpus without them, and the stage's report."""
    root = tmp_path_factory.mktemp("dedup")
    scored = write_shards(root / "scored", planted())
    return scored, root / "out", run(scored, root / "out")


def test_planted_copies_go_and_all_others_stay(corpus: tuple[Path, Path, Report]) -> None:
    # a copy with surrounding blanks is longer, so it survives its original
    expected = numbered("own", range(10, 100)) | numbered("exact", range(10))
    # of equally long and early ones the smaller id: near-… before own-…
    expected = expected - numbered("own", range(10, 20)) | numbered("near", range(10, 20))
    assert survivors(corpus[1]) == expected


def test_the_books_balance_with_a_reason_for_every_loss(corpus: tuple[Path, Path, Report]) -> None:
    accounts = corpus[2].accounts
    assert accounts is not None
    accounts.verify("test")
    assert accounts.entered.documents == 120
    assert {reason: count.documents for reason, count in accounts.dropped.items()} == {
        "exact_duplicate": 10,
        "near_duplicate": 10,
    }


def test_every_cluster_is_explained(corpus: tuple[Path, Path, Report]) -> None:
    rows = clusters(corpus[1])
    assert len(rows) == 40
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert first["cluster"] == second["cluster"] == min(first["id"], second["id"])
        assert first["kept"] == second["kept"]
        near = "near" in str(first["id"]) + str(second["id"])
        assert {first["kind"], second["kind"]} == {"kept", "near" if near else "exact"}


def test_similarity_is_the_exact_jaccard_to_the_survivor(
    corpus: tuple[Path, Path, Report],
) -> None:
    for row in clusters(corpus[1]):
        number = int(str(row["id"])[-3:])
        left, right = shingles(text_of(number)), shingles(edited(text_of(number), 4))
        truth = len(left & right) / len(left | right) if row["kind"] == "near" else 1.0
        assert row["similarity"] == pytest.approx(truth, abs=1e-6)


def test_shards_stay_as_they_are_and_every_row_has_a_fate(
    corpus: tuple[Path, Path, Report],
) -> None:
    scored, out, _ = corpus
    assert file_digests(out / "shards") == file_digests(scored)
    of = fates(out)
    assert len(of) == 120
    assert sum(fate == "near_duplicate" for fate in of.values()) == 10
    assert {name for name, fate in of.items() if fate in ("train", "heldout")} == survivors(out)


def test_shards_and_workers_change_no_byte(
    corpus: tuple[Path, Path, Report], tmp_path: Path
) -> None:
    run(corpus[0], tmp_path / "two", workers=2)
    assert file_digests(tmp_path / "two", "parquet") == file_digests(corpus[1], "parquet")


def test_the_order_of_documents_changes_no_decision(
    corpus: tuple[Path, Path, Report], tmp_path: Path
) -> None:
    run(write_shards(tmp_path / "in", planted()[::-1], shards=4), tmp_path / "out")
    assert ids(tmp_path / "out", "train") == ids(corpus[1], "train")
    assert clusters(tmp_path / "out") == clusters(corpus[1])


def test_the_s_curve_is_drawn(corpus: tuple[Path, Path, Report]) -> None:
    assert (corpus[1] / REPORT / "scurve.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"perplexity": 2.0}, {"perplexity": 2.5}),
        ({"text": text_of(1) + "  "}, {"text": text_of(1)}),
        ({"fetched_at": "2019-01-01"}, {"fetched_at": "2024-01-01"}),
        ({"fetched_at": "2024-01-01"}, {"fetched_at": ""}),
        ({"id": "a"}, {"id": "b"}),
    ],
    ids=["perplexity", "length", "date", "known date", "id"],
)
def test_the_better_document_survives(
    tmp_path: Path, better: dict[str, object], worse: dict[str, object]
) -> None:
    # ids would decide the other way round
    documents = [
        document(**{"identifier": "z", "text": text_of(1)} | rename(better)),
        document(**{"identifier": "b", "text": text_of(1)} | rename(worse)),
    ]
    run(write_shards(tmp_path / "in", documents), tmp_path / "out")
    assert survivors(tmp_path / "out") == {documents[0]["id"]}


def test_documents_of_a_bucket_without_a_share_are_dropped_by_bucket(tmp_path: Path) -> None:
    buckets = ["head", "middle", "tail", "tail"]
    documents = [document(str(n), text_of(n), bucket=b) for n, b in enumerate(buckets)]
    scored = write_shards(tmp_path / "in", documents)
    report = run(scored, tmp_path / "out", buckets=BucketRule(BucketShares()))
    assert survivors(tmp_path / "out") == {"0", "1"}
    assert report.accounts is not None
    assert report.accounts.dropped["bucket:tail"].documents == 2
    assert report.accounts.dropped["bucket:tail"].bytes == 2 * 400 * 3


def test_a_larger_share_of_a_bucket_keeps_a_superset(tmp_path: Path) -> None:
    documents = [document(f"{n:03d}", text_of(n, 60), bucket="tail") for n in range(200)]
    scored = write_shards(tmp_path / "in", documents)
    kept = []
    for share in (0.2, 0.5, 1.0):
        rule = BucketRule(BucketShares(tail=share))
        report = run(scored, tmp_path / str(share), buckets=rule, near=False)
        kept.append(survivors(tmp_path / str(share)))
        dropped = report.accounts.dropped if report.accounts else {}
        lost = dropped["bucket:tail"].documents if "bucket:tail" in dropped else 0
        assert len(kept[-1]) == 200 - lost
    assert kept[0] < kept[1] < kept[2]
    assert 25 <= len(kept[0]) <= 55 and 80 <= len(kept[1]) <= 120


def test_a_documents_place_in_its_bucket_depends_on_its_id_alone(tmp_path: Path) -> None:
    documents = [document(f"{n:03d}", text_of(n, 60), bucket="tail") for n in range(100)]
    rule = BucketRule(BucketShares(tail=0.5))
    run(write_shards(tmp_path / "few", documents[:50], 1), tmp_path / "old", buckets=rule)
    run(write_shards(tmp_path / "all", documents[::-1], 4), tmp_path / "new", buckets=rule)
    old, new = survivors(tmp_path / "old"), survivors(tmp_path / "new")
    assert {name for name in new if int(name) < 50} == old


def test_a_kept_source_loses_nothing_to_its_bucket(tmp_path: Path) -> None:
    documents = [
        document(source, text_of(n), source=source, bucket="tail")
        for n, source in enumerate(["web", "encyclopedia"])
    ]
    rule = BucketRule(BucketShares(), keep_sources=("encyclopedia",))
    report = run(write_shards(tmp_path / "in", documents), tmp_path / "out", buckets=rule)
    assert survivors(tmp_path / "out") == {"encyclopedia"}
    assert report.accounts is not None
    assert report.accounts.dropped["bucket:tail"].documents == 1


def test_a_bucket_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    scored = write_shards(tmp_path / "in", [document("a", text_of(1), bucket="body")])
    with pytest.raises(CorpusError, match="bucket 'body' is none of head, middle, tail"):
        run(scored, tmp_path / "out", buckets=BucketRule(BucketShares()))


def test_buckets_are_not_chosen_from_where_there_are_none(tmp_path: Path) -> None:
    scored = write_shards(tmp_path / "in", [document("a", text_of(1))], schema=SCHEMA)
    with pytest.raises(CorpusError, match="score them first"):
        run(scored, tmp_path / "out", buckets=BucketRule(BucketShares()))


def test_a_corpus_without_scores_is_deduplicated_too(tmp_path: Path) -> None:
    documents = [document(name, text_of(1)) for name in "ab"] + [document("c", text_of(2))]
    run(write_shards(tmp_path / "in", documents, schema=SCHEMA), tmp_path / "out")
    assert survivors(tmp_path / "out") == {"a", "c"}


def test_exact_and_near_can_be_switched_off(tmp_path: Path) -> None:
    scored = write_shards(tmp_path / "in", planted())
    assert run(scored, tmp_path / "none", exact=False, near=False).metrics["clusters"] == 0
    assert run(scored, tmp_path / "exact", near=False).metrics["clusters"] == 10
    near = run(scored, tmp_path / "near", exact=False).metrics
    assert (near["exact_duplicates"], near["near_duplicates"]) == (0, 20)


def test_a_chain_of_copies_is_one_cluster(tmp_path: Path) -> None:
    first = text_of(1)
    middle = edited(first, 5)
    last = edited(middle, 4)
    ends = shingles(first), shingles(last)
    assert len(ends[0] & ends[1]) / len(ends[0] | ends[1]) < 0.8
    documents = [document(str(n), text) for n, text in enumerate([first, middle, last])]
    run(write_shards(tmp_path / "in", documents), tmp_path / "out", bands=40, rows=3)
    assert [row["cluster"] for row in clusters(tmp_path / "out")] == ["0", "0", "0"]
    assert survivors(tmp_path / "out") == {"0"}


def test_a_document_never_changes_its_split_when_others_come(tmp_path: Path) -> None:
    documents = [document(f"{number:04d}", text_of(number, 60)) for number in range(400)]
    run(write_shards(tmp_path / "few", documents[:200]), tmp_path / "old", heldout_share=0.1)
    run(write_shards(tmp_path / "all", documents), tmp_path / "new", heldout_share=0.1)
    old, new = ids(tmp_path / "old", "heldout"), ids(tmp_path / "new", "heldout")
    assert {name for name in new if int(name) < 200} == old
    assert 20 <= len(new) <= 60


def test_a_tiny_corpus_still_holds_something_out(tmp_path: Path) -> None:
    documents = [document(str(number), text_of(number)) for number in range(3)]
    report = run(write_shards(tmp_path / "in", documents), tmp_path / "out", heldout_share=1e-9)
    assert (report.metrics["train_documents"], report.metrics["heldout_documents"]) == (2, 1)


def signed_shards(root: Path) -> int:
    return len(list((root / "shards" / DEDUPLICATE.name).glob("*/*.documents")))


def test_a_refresh_signs_and_compares_only_what_is_new_and_equals_a_run_from_scratch(
    tmp_path: Path,
) -> None:
    store, scored = tmp_path / "store", write_shards(tmp_path / "in", planted())
    first = materialise(store, scored, "old")
    assert (signed_shards(store), first.metrics["compared_pairs"]) == (3, 10)
    new = [document("x", edited(text_of(11), 2)), document("y", text_of(12)), document("z", "新")]
    shutil.copy(
        write_shards(tmp_path / "more", new, 1) / "web-00000.parquet", scored / "web-00009.parquet"
    )
    second = materialise(store, scored, "new")
    assert signed_shards(store) == 4
    assert second.metrics["compared_pairs"] <= 3
    alone = materialise(tmp_path / "another", scored, "new")
    assert alone.metrics["compared_pairs"] > 10
    assert second.content == alone.content != first.content


def test_taking_a_survivor_away_brings_back_the_next_best(tmp_path: Path) -> None:
    store, scored = tmp_path / "store", write_shards(tmp_path / "in", planted())
    before = materialise(store, scored, "old")
    assert "near-013" in survivors(before.path) and "own-013" not in survivors(before.path)
    shutil.rmtree(scored)
    write_shards(scored, [row for row in planted() if row["id"] != "near-013"])
    after = materialise(store, scored, "new")
    assert after.metrics["compared_pairs"] == 0
    assert "own-013" in survivors(after.path)
    assert after.content == materialise(tmp_path / "another", scored, "new").content


def test_one_document_stays_of_each_url_whatever_its_text(tmp_path: Path) -> None:
    page = "https://www.example.org/a/?utm_source=x&b=2&a=1#top"
    documents = [
        document("old", text_of(1), url=page, perplexity=2.0),
        document("new", text_of(2), url="http://example.org/a?a=1&b=2"),
        document("copy", text_of(2), url="http://example.org/b"),
        document("bare", text_of(3)),
        document("blank", text_of(4)),
    ]
    scored = write_shards(tmp_path / "in", documents)
    report = run(scored, tmp_path / "out", url=True)
    # the page's other text lives on in the copy, which the URL has not lost
    assert survivors(tmp_path / "out") == {"old", "copy", "bare", "blank"}
    assert report.metrics["url_duplicates"] == 1
    lost = [row for row in clusters(tmp_path / "out") if row["kind"] == "url"]
    assert [(row["id"], row["kept"], row["similarity"]) for row in lost] == [("new", "old", None)]
    run(scored, tmp_path / "off")
    assert survivors(tmp_path / "off") == {"old", "new", "bare", "blank"} - {"new"} | {"copy"}


def test_without_verification_candidates_are_believed(tmp_path: Path) -> None:
    documents = [document("a", text_of(1)), document("b", edited(text_of(1), 12))]
    scored = write_shards(tmp_path / "in", documents)
    run(scored, tmp_path / "sure", bands=60, rows=2)
    assert survivors(tmp_path / "sure") == {"a", "b"}
    report = run(scored, tmp_path / "unsure", bands=60, rows=2, verify=False)
    assert survivors(tmp_path / "unsure") == {"a"}
    assert report.metrics["compared_pairs"] == 0


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        (["", " ", "\n"], 1),
        (["a", "b", "a"], 2),
        (["!!!", "???", "!!!"], 2),
        (["あ" * 5_000, "あ" * 5_001, "い" * 5_000], 3 - 1),
        ([text_of(1)] * 300, 1),
    ],
    ids=["empty", "one character", "without words", "one character repeated", "many copies"],
)
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "near alone"])
def test_strange_texts_are_treated_like_others(
    tmp_path: Path, texts: list[str], kept: int, exact: bool
) -> None:
    documents = [document(f"{number:03d}", text) for number, text in enumerate(texts)]
    run(write_shards(tmp_path / "in", documents), tmp_path / "out", exact=exact)
    without_shingles = not any(character.isalnum() for character in "".join(texts))
    expected = len(texts) if without_shingles and not exact else kept
    assert len(survivors(tmp_path / "out")) == expected


def test_a_family_of_copies_costs_far_less_than_all_its_pairs(tmp_path: Path) -> None:
    documents = [document(f"{n:04d}", edited(text_of(1), 1 + n % 3) + "々" * n) for n in range(200)]
    report = run(write_shards(tmp_path / "in", documents), tmp_path / "out", exact=False)
    assert report.metrics["clusters"] >= 1
    assert report.metrics["compared_pairs"] < 200 * 199 / 2 / 10


def test_an_id_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    documents = [document("same", text_of(1)), document("same", text_of(2))]
    with pytest.raises(CorpusError, match=r"same stands twice, in row 0 of web-00000.parquet and"):
        run(write_shards(tmp_path / "in", documents), tmp_path / "out")


def test_a_corpus_without_documents_is_an_error(tmp_path: Path) -> None:
    scored = write_shards(tmp_path / "in", [document("a", text_of(1), bucket="tail")])
    with pytest.raises(CorpusError, match="bucket:tail"):
        run(scored, tmp_path / "out", buckets=BucketRule(BucketShares()))


def clusters(out: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(out / "clusters.parquet").to_pylist()
    return rows


def shingles(text: str) -> set[str]:
    return {text[at : at + 5] for at in range(len(text) - 4)}


def rename(changes: dict[str, object]) -> dict[str, object]:
    return {("identifier" if key == "id" else key): value for key, value in changes.items()}
