"""The stage: reasons in order, books, and the same bytes however it is run."""

import json

import pyarrow.parquet as pq
import pytest

from nativize.artifact import file_digests, standalone
from nativize.clean import FILTERED_SCHEMA, filter_shards
from nativize.clean.judge import judge
from nativize.crawl import read_crawl
from nativize.engine import LocalEngine
from nativize.errors import CorpusError
from nativize.recipe import Clean, Crawl, CrawlSource, Language

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
REASONS = ["", "too_short", "language", "mojibake", "duplicate_lines", "empty", "symbols"]


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


def run(raw, out, *, workers=1, **clean):
    with standalone(out) as place:
        return filter_shards(
            raw, place, language=JAPANESE, clean=Clean(**clean), engine=LocalEngine(workers)
        )


@pytest.mark.parametrize(("text", "reason"), list(zip(TEXTS, REASONS, strict=True)))
def test_every_drop_has_its_reason(text, reason):
    assert judge(text, JAPANESE, Clean()).reason == reason


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


def test_dropped_documents_are_sampled_by_reason(raw, tmp_path):
    run(raw, tmp_path / "out")
    lines = (tmp_path / "out" / "s-a.jsonl-0000.dropped.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["reason"] for line in lines] == REASONS[1:]


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
        run(raw, tmp_path / "out", minimum_characters=100_000)


@pytest.mark.parametrize(
    ("characters", "reason"), [(99, "too_short"), (100, ""), (200, ""), (201, "too_long")]
)
def test_length_bounds_are_inclusive(characters, reason):
    clean = Clean(
        minimum_characters=100, maximum_characters=200, language_score=0, top_ngram_share=0
    )
    assert judge("あ" * characters, JAPANESE, clean).reason == reason


def test_zero_switches_filters_off():
    off = Clean(
        minimum_characters=0,
        maximum_characters=0,
        language_score=0,
        duplicate_line_share=0,
        top_ngram_share=0,
        symbol_share=0,
        boilerplate_lines=False,
        personal_data=False,
    )
    for text in (*TEXTS[:3], *TEXTS[4:]):
        assert judge(text, JAPANESE, off).reason == ""


def test_script_and_punctuation_filters_drop_when_asked():
    clean = Clean(language_score=0, minimum_characters=0, script_share=0.5)
    assert judge(ENGLISH, JAPANESE, clean).reason == "script"
    clean = Clean(minimum_characters=0, line_punctuation_share=0.5)
    assert judge(PROSE.replace("。", "、"), JAPANESE, clean).reason == "line_punctuation"
