"""The stage: reasons in order, books, and the same bytes however it is run."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nativize.artifact import ArtifactStore, Inputs, file_digests, standalone
from nativize.clean import FILTER, FILTERED_SCHEMA, clean_digests, filter_shards
from nativize.crawl import READ_CRAWL, read_crawl
from nativize.engine import LocalEngine
from nativize.errors import CorpusError, RecipeError
from nativize.recipe import Clean, Crawl, CrawlSource, Language, identity

JAPANESE = Language(code="ja")
PROSE = (
    "柔道は、相手の力を利用して投げたり抑えたりする武道です。六月の木曜日、港町で大会が開かれました。"
    "参加したのは四十組で、朝から熱のこもった試合が続きました。結果よりも、礼をして終わる姿が心に残ります。"
    "連絡先はinfo@mail.exampleです。"
)
ENGLISH = "Judo is a sport in which one throws the other by using the other's own strength. " * 2
TEXTS = [
    PROSE,
    "短い。",
    ENGLISH,
    PROSE.encode().decode("latin-1"),
    "\n".join(["格安の腕時計を本日も送料無料でお届けします"] * 20),
    "ホーム\nログイン",
    PROSE + "\n" + "!" * 200,
]
REASONS = ["kept", "too_short", "language", "mojibake", "duplicate_lines", "empty", "symbols"]


@pytest.fixture
def raw(tmp_path):
    directory = tmp_path / "crawl"
    directory.mkdir()
    for name in ("a", "b"):
        lines = (json.dumps({"text": text, "url": name}) + "\n" for text in TEXTS)
        (directory / f"{name}.jsonl").write_text("".join(lines))
    crawl = Crawl(source=(CrawlSource(name="s", path="*.jsonl"),))
    with standalone(tmp_path / "raw") as place:
        read_crawl(place, crawl=crawl, directory=directory, engine=LocalEngine(1))
    return tmp_path / "raw"


def run(raw, out, *, workers=1, takedown=None, directory=Path(), **clean):
    with standalone(out) as place:
        return filter_shards(
            raw,
            place,
            language=JAPANESE,
            clean=Clean(**clean),
            takedown=takedown,
            directory=directory,
            engine=LocalEngine(workers),
        )


def fates(out, shard="s-a.jsonl-0000"):
    """What became of each sampled document, by the number of its text."""
    lines = (out / f"{shard}.samples.jsonl").read_text("utf-8").splitlines()
    return sorted(json.loads(line)["reason"] for line in lines)


def test_every_drop_has_its_reason(raw, tmp_path):
    run(raw, tmp_path / "out")
    assert fates(tmp_path / "out") == sorted(REASONS)


def test_the_books_balance_with_the_sizes_as_they_entered(raw, tmp_path):
    report = run(raw, tmp_path / "out")
    report.accounts.verify("test")
    assert report.accounts.entered.documents == 2 * len(TEXTS)
    assert report.accounts.kept.characters == 2 * len(PROSE)
    assert {r: n.documents for r, n in report.accounts.dropped.items()} == dict.fromkeys(
        REASONS[1:], 2
    )


def test_what_entered_is_what_the_crawl_kept(raw, tmp_path):
    kept = sum(pq.read_metadata(path).num_rows for path in raw.glob("*.parquet"))
    assert run(raw, tmp_path / "out").accounts.entered.documents == kept


def test_kept_documents_carry_score_and_placeholders(raw, tmp_path):
    report = run(raw, tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "s-a.jsonl-0000.parquet")
    assert table.schema.equals(FILTERED_SCHEMA)
    (row,) = table.to_pylist()
    assert (row["language"], row["url"]) == ("ja", "a")
    assert row["language_score"] > 0.9
    assert "<mail>" in row["text"]
    assert report.metrics["personal_data_mail"] == 2
    assert report.metrics["megabytes_per_core_second"] > 0


def test_kept_and_dropped_documents_are_sampled_for_the_report(raw, tmp_path):
    run(raw, tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report" / "samples.json").read_text("utf-8"))
    assert report["columns"] == ["reason", "id", "url", "text"]
    assert sorted({row[0] for row in report["rows"]}) == sorted(REASONS)
    assert (tmp_path / "out" / "report" / "lengths.png").stat().st_size > 1_000


def test_one_or_two_workers_make_the_same_bytes(raw, tmp_path):
    run(raw, tmp_path / "one", workers=1)
    run(raw, tmp_path / "two", workers=2)
    assert file_digests(tmp_path / "one") == file_digests(tmp_path / "two")


def test_a_shard_without_survivors_leaves_the_content_as_it_was(raw, tmp_path):
    directory = tmp_path / "crawl"
    (directory / "c.jsonl").write_text(json.dumps({"text": "短い。"}))
    crawl = Crawl(source=(CrawlSource(name="s", path="*.jsonl"),))
    with standalone(tmp_path / "raw2") as place:
        read_crawl(place, crawl=crawl, directory=directory, engine=LocalEngine(1))
    run(tmp_path / "raw2", tmp_path / "out")
    run(raw, tmp_path / "before")
    assert file_digests(tmp_path / "out", ".parquet") == file_digests(
        tmp_path / "before", ".parquet"
    )


def test_nothing_left_is_an_error_that_counts_the_reasons(raw, tmp_path):
    with pytest.raises(CorpusError, match="'too_short': 10"):
        run(raw, tmp_path / "out", length={"minimum_characters": 100_000})


def test_false_switches_a_filter_off_and_a_table_tunes_it(raw, tmp_path):
    run(raw, tmp_path / "tuned", length={"minimum_characters": 2}, script=False)
    found = fates(tmp_path / "tuned")
    assert "too_short" not in found
    assert "symbols" not in found
    run(raw, tmp_path / "none", preset="none")
    assert set(fates(tmp_path / "none")) == {"kept", "empty", "mojibake"}


def test_a_licence_that_is_not_allowed_drops(raw, tmp_path):
    with pytest.raises(CorpusError, match="'licence': 10"):
        run(raw, tmp_path / "out", licences=("CC0-1.0",))


def test_blocked_urls_and_words_drop(raw, tmp_path):
    (tmp_path / "words.txt").write_text("# own list\n武道\n")
    words = ({"name": "sport", "path": "words.txt"},)
    with pytest.raises(CorpusError, match="'words:sport': 2"):
        run(raw, tmp_path / "out", words=words, directory=tmp_path)
    with pytest.raises(RecipeError, match=r"cannot read the list .*gone\.txt"):
        run(raw, tmp_path / "out2", blocked_urls="gone.txt", directory=tmp_path)


class Store:
    """The stage in a store, as the graph calls it."""

    def __init__(self, root, raw_build):
        self.root, self.store = root, ArtifactStore(root / "store", "r")
        self.raw = self.store.materialise(READ_CRAWL, {}, Inputs(outside={"x": "1"}), raw_build)

    def filter(self, takedown=None, **options):
        clean = Clean(**options)
        outside = clean_digests(clean, takedown, self.root)
        slices = {"language": identity(JAPANESE), "clean": identity(clean)}
        return self.store.materialise(
            FILTER,
            slices,
            Inputs((self.raw,), outside),
            lambda place: filter_shards(
                self.raw.path,
                place,
                language=JAPANESE,
                clean=clean,
                takedown=takedown,
                directory=self.root,
                engine=LocalEngine(1),
            ),
        )


@pytest.fixture
def store(raw, tmp_path):
    def build(place):
        crawl = Crawl(source=(CrawlSource(name="s", path="*.jsonl"),))
        return read_crawl(place, crawl=crawl, directory=tmp_path / "crawl", engine=LocalEngine(1))

    return Store(tmp_path, build)


def shards(artifact):
    return artifact.metrics["shards_measured"], artifact.metrics["shards_built"]


def test_a_changed_threshold_decides_anew_and_measures_nothing(store):
    assert shards(store.filter()) == (2, 2)
    assert shards(store.filter(length={"minimum_characters": 2})) == (0, 2)


def test_a_changed_normal_form_measures_anew(store):
    store.filter()
    assert shards(store.filter(normalisation={"form": "NFC"})) == (2, 2)


def test_a_takedown_decides_anew_only_where_it_concerns_someone(store):
    before = store.filter(takedown=None)
    kept, short, *_ = pq.read_table(store.raw.path / "s-a.jsonl-0000.parquet").to_pylist()
    listed = store.root / "takedown.txt"
    listed.write_text("nowhere.example\n")
    unconcerned = store.filter(takedown="takedown.txt")
    assert shards(unconcerned) == (0, 0)
    assert unconcerned.content == before.content
    listed.write_text(f"nowhere.example\n{short['sha256']}\n")
    taken = store.filter(takedown="takedown.txt")
    assert shards(taken) == (0, 2), "the same text stands in both files"
    assert taken.report.accounts.dropped["takedown"].documents == 2
    assert taken.content == before.content, "it had been dropped before"
    listed.write_text(f"{kept['id']}\n")
    one = store.filter(takedown="takedown.txt")
    assert shards(one) == (0, 1)
    assert one.report.accounts.dropped["takedown"].documents == 1
    assert one.content != before.content
    listed.write_text("")
    assert store.filter(takedown="takedown.txt").content == before.content
