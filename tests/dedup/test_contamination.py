"""What quotes an evaluation set goes, before anything else is decided; the report says what."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nativize.artifact import REPORT, Report, standalone
from nativize.dedup import DEDUPLICATE, deduplicate
from nativize.dedup.evaluation_sets import evaluation_digests, read_items
from nativize.dedup.fold import fold
from nativize.engine import LocalEngine
from nativize.errors import CorpusError
from nativize.recipe import Decontamination, Dedup, Fold, Language
from tests.dedup import composed
from tests.dedup.composed import JAPANESE, document, edited, fates, survivors, text_of, write_shards

ENGLISH = Language(code="en", shingle="words")
QUESTION = text_of(900, 40)
WORDS = "How many ducks does the old woman at the river feed every single morning before school"


def searched(
    root: Path,
    texts: dict[str, str],
    items: list[Any],
    *,
    language: Language = JAPANESE,
    words: int = 13,
    **dedup: Any,
) -> Report:
    """The stage over some texts, beside an evaluation set of some items, in ``root``/out."""
    scored = write_shards(root / "in", [document(name, text) for name, text in texts.items()], 2)
    lines = (json.dumps(item, ensure_ascii=False) for item in items)
    (root / "set.jsonl").write_text("\n".join(lines), encoding="utf-8")
    wanted = Decontamination(files=("*.jsonl",), words=words)
    with standalone(root / "out") as place:
        return deduplicate(
            scored,
            place,
            language=language,
            dedup=Dedup(decontamination=wanted, heldout_share=0.0, **dedup),
            buckets=None,
            directory=root,
            engine=LocalEngine(1),
        )


def test_a_page_that_quotes_an_item_is_lost_with_that_reason(tmp_path: Path) -> None:
    texts = {"quotes": text_of(1) + QUESTION[5:35] + text_of(2), "clean": text_of(3)}
    report = searched(tmp_path, texts, [{"question": QUESTION, "label": 1}])
    assert fates(tmp_path / "out") == {"quotes": "contaminated", "clean": "train"}
    assert report.metrics["contaminated_documents"] == 1
    assert report.accounts is not None
    report.accounts.verify("test")


@pytest.mark.parametrize(("characters", "fate"), [(25, "train"), (26, "contaminated")])
def test_a_piece_is_two_characters_a_word(tmp_path: Path, characters: int, fate: str) -> None:
    searched(tmp_path, {"page": f"漢{QUESTION[:characters]}字", "other": text_of(1)}, [QUESTION])
    assert fates(tmp_path / "out")["page"] == fate


def test_beside_a_language_without_spaces_26_letters_are_no_piece(tmp_path: Path) -> None:
    texts = {
        "phrase": f"He asked me {WORDS[:40]} and went.",
        "quotes": f"He asked me {WORDS} and went.",
        "clean": text_of(1),
    }
    searched(tmp_path, texts, [{"question": WORDS}])
    assert fates(tmp_path / "out") == {
        "phrase": "train", "quotes": "contaminated", "clean": "train",
    }  # fmt: skip


@pytest.mark.parametrize(("words", "fate"), [(12, "train"), (13, "contaminated")])
def test_where_words_are_parted_a_piece_is_words(tmp_path: Path, words: int, fate: str) -> None:
    quoted = " ".join(WORDS.split()[:words])
    texts = {"page": f"The story begins: {quoted}, and so on.", "other": "Nothing of it is here."}
    searched(tmp_path, texts, [{"question": WORDS}], language=ENGLISH)
    assert fates(tmp_path / "out")["page"] == fate


@pytest.mark.parametrize(
    "page", [WORDS.upper(), WORDS.replace(" ", ",\n"), WORDS.replace("o", "ｏ")],
    ids=["case", "punctuation", "width"],
)  # fmt: skip
def test_folding_hides_nothing(tmp_path: Path, page: str) -> None:
    texts = {"page": page, "other": "Nothing of it is here."}
    searched(tmp_path, texts, [WORDS], language=ENGLISH)
    assert fates(tmp_path / "out")["page"] == "contaminated"


def test_a_quotation_is_found_wherever_it_stands_in_a_long_text(tmp_path: Path) -> None:
    long = {str(at): text_of(1, at) + QUESTION + text_of(2, 5_000) for at in range(2_000, 2_100, 7)}
    searched(tmp_path, {**long, "clean": text_of(7)}, [QUESTION], near=False)
    assert survivors(tmp_path / "out") == {"clean"}


def test_uncomposed_marks_hide_nothing(tmp_path: Path) -> None:
    voiced = "がぎぐげござじずぜぞだぢづでどばびぶべぼがぎぐげござじずぜぞ"
    apart = "".join(f"{chr(ord(kana) - 1)}\u3099" for kana in voiced)
    searched(tmp_path, {"page": f"{apart}です", "other": text_of(1)}, [voiced])
    assert fates(tmp_path / "out")["page"] == "contaminated"


def test_a_clean_page_stands_for_a_cluster_whose_best_quotes_an_item(tmp_path: Path) -> None:
    clean = text_of(1)
    searched(tmp_path, {"better": clean + QUESTION, "clean": clean}, [QUESTION])
    assert fates(tmp_path / "out") == {"better": "contaminated", "clean": "train"}


def test_the_report_tells_of_every_file_what_was_found(tmp_path: Path) -> None:
    items = [{"question": QUESTION}, {"question": "短い"}, {"question": text_of(901, 40)}]
    texts = {"a": QUESTION + text_of(1), "b": text_of(2) + QUESTION, "clean": text_of(3)}
    searched(tmp_path, texts, items, near=False)
    report = tmp_path / "out" / REPORT
    table = json.loads((report / "evaluation_sets.json").read_text(encoding="utf-8"))
    assert table["rows"] == [["set.jsonl", 3, 1, 1, "50.0 %", 2]]
    shown = json.loads((report / "evaluation_pieces.json").read_text(encoding="utf-8"))["rows"]
    assert [row[1:] for row in shown] == [[2, "set.jsonl", 1, "a"]]
    assert shown[0][0] in QUESTION


def test_a_files_template_is_not_its_content(tmp_path: Path) -> None:
    template = "次の文章をよく読んで、正しい答えを一つだけ選んでください。"
    items = [{"text": template + text_of(number, 40)} for number in range(900, 930)]
    texts = {"page": f"{text_of(1)}{template}{text_of(2)}", "quotes": text_of(905, 40)}
    searched(tmp_path, texts, items)
    assert fates(tmp_path / "out") == {"page": "train", "quotes": "contaminated"}


@pytest.mark.parametrize(
    ("name", "content", "items"),
    [
        (
            "a.jsonl",
            '{"q": "one", "c": ["two", "three"], "n": 4}\n\n"five"\n',
            ["one two three", "five"],
        ),
        ("lines.json", '{"q": "one"}\n{"q": "two"}\n', ["one", "two"]),
        ("list.json", '[{"q": "one", "a": {"text": "two"}}, "three"]', ["three", "one", "two"]),
        (
            "deep.json",
            '{"data": [{"title": "t", "p": [{"c": "x", "qas": [{"q": "y"}]}]}]}',
            ["t", "x", "y"],
        ),
        ("a.csv", 'q,a\n"one, two",three\n', ["q a", "one, two three"]),
        ("a.tsv", 'one "two\tthree\n', ['one "two three']),
        ("a.txt", "one\ntwo\n\n\nthree\n", ["one\ntwo", "three\n"]),
    ],
)
def test_items_are_read_from(tmp_path: Path, name: str, content: str, items: list[str]) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert list(read_items(tmp_path / name)) == items


def test_items_are_read_from_parquet(tmp_path: Path) -> None:
    rows = [{"question": "one", "choices": {"text": ["two", "three"]}, "label": 1}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert list(read_items(tmp_path / "a.parquet")) == ["one", "two three"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", '{"q": 1}\n{"q": \n', "a.jsonl, line 2: no JSON"),
        ("a.txt", b"\xff\xfe", "byte 0 is not UTF-8"),
        ("a.xml", "<q/>", "not from .xml"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, name: str, content: str | bytes, told: str
) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorpusError, match=told):
        list(read_items(tmp_path / name))


def test_sets_are_named_below_their_glob_and_a_glob_without_match_is_refused(
    tmp_path: Path,
) -> None:
    for part in ("one", "two"):
        (tmp_path / "sets" / part).mkdir(parents=True)
        (tmp_path / "sets" / part / "valid.jsonl").write_text('"x"', encoding="utf-8")
    digests = evaluation_digests(Decontamination(files=("sets/**/*.jsonl",)), tmp_path)
    assert list(digests) == ["evaluation:one/valid.jsonl", "evaluation:two/valid.jsonl"]
    apart = Decontamination(files=("sets/one/valid.jsonl", "sets/two/valid.jsonl"))
    with pytest.raises(CorpusError, match="two evaluation sets have the name valid"):
        evaluation_digests(apart, tmp_path)
    with pytest.raises(CorpusError, match="no evaluation set matches"):
        evaluation_digests(Decontamination(files=("nothing/*.jsonl",)), tmp_path)


DECONTAMINATED = Dedup(decontamination=Decontamination(files=("set*.jsonl",)))
materialise = partial(composed.materialise, dedup=DECONTAMINATED)


def test_a_refresh_searches_new_shards_alone_and_another_set_all_of_them(tmp_path: Path) -> None:
    documents = [document(f"{n:02d}", text_of(n) + QUESTION * (n % 3 == 0)) for n in range(12)]
    scored = write_shards(tmp_path / "in", documents[:9], 3)
    (scored / "set.jsonl").write_text(json.dumps(QUESTION), encoding="utf-8")
    store = tmp_path / "store"
    materialise(store, scored, "old")
    made = store / "shards" / DEDUPLICATE.name
    assert len(list(made.glob("*/*.hits.npy"))) == 3
    more = write_shards(tmp_path / "more", documents[9:], 1) / "web-00000.parquet"
    shutil.copy(more, scored / "web-00009.parquet")
    second = materialise(store, scored, "new")
    assert len(list(made.glob("*/*.hits.npy"))) == 4
    assert set(fates(second.path).values()) == {"train", "heldout", "contaminated"}
    scratch = materialise(tmp_path / "another", scored, "new", workers=2)
    assert second.content == scratch.content
    (scored / "set2.jsonl").write_text(json.dumps(text_of(1)), encoding="utf-8")
    third = materialise(store, scored, "another set")
    assert len(list(made.glob("*/*.hits.npy"))) == 8
    assert fates(third.path)["01"] == "contaminated"


ALPHABET = st.text("abＡか\u3099 。\n", max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(ALPHABET, min_size=1, max_size=5), st.lists(ALPHABET, min_size=1, max_size=3))
def test_what_is_found_is_what_plain_python_finds(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], items: list[str]
) -> None:
    """Whatever is quoted, by the definition: sets of runs of folded characters."""
    root = tmp_path_factory.mktemp("sets")
    named = {str(number): text for number, text in enumerate(texts)} | {"other": text_of(1)}
    searched(root, named, items, words=2, near=False, exact=False)
    pieces = set().union(*(runs(item, length_of(item)) for item in items))
    expected = {name for name, text in named.items() if (runs(text, 4) | runs(text, 12)) & pieces}
    found = {name for name, fate in fates(root / "out").items() if fate == "contaminated"}
    assert found == expected


def length_of(item: str) -> int:
    """Of two words: four characters, or twelve letters where less than a quarter is kana."""
    return 4 if 4 * sum("\u2e80" <= character < "\uac00" for character in item) > len(item) else 12


def runs(text: str, length: int) -> set[str]:
    folded = fold(text, Fold())
    return {folded[at : at + length] for at in range(len(folded) - length + 1)}


def test_an_item_told_in_other_words_is_not_found(tmp_path: Path) -> None:
    texts = {"edited": edited(QUESTION, 8) + text_of(1), "clean": text_of(2)}
    searched(tmp_path, texts, [QUESTION])
    assert fates(tmp_path / "out")["edited"] == "train"
