import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nativize.artifact import standalone
from nativize.recipe import Language
from nativize.vocabulary import (
    load_encoder,
    read_sizes,
    read_texts,
    report_vocabulary,
    sample_texts,
)
from nativize.vocabulary.cuts import CutLine, choose_lines, cut, cut_page, cut_table
from nativize.vocabulary.report import _new_pieces


@pytest.fixture(scope="module")
def report(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "out"
    paths = [workshop / name for name in ("base", "merged", "new", "old")]
    with standalone(out) as place:
        report_vocabulary(*paths, place, language=Language(code="ja"))
    return out


def figures(report: Path) -> dict[str, float]:
    return json.loads((report / "figures.json").read_text())


def test_figures_are_tokens_by_characters_and_by_bytes(workshop: Path, report: Path) -> None:
    texts = sample_texts(workshop / "new", "heldout", 10**6)
    tokens = sum(map(len, load_encoder(workshop / "merged").encode(texts)))
    found = figures(report)
    per_byte = tokens / sum(len(text.encode()) for text in texts)
    assert found["new_tokens_per_byte_after"] == pytest.approx(per_byte, abs=1e-4)
    assert found["new_tokens_per_character_after"] == pytest.approx(
        tokens / sum(map(len, texts)), abs=1e-4
    )
    assert found["old_tokens_per_byte_after"] == found["old_tokens_per_byte_before"]


def test_figures_say_how_many_new_pieces_are_used(workshop: Path, report: Path) -> None:
    sizes = read_sizes(workshop / "merged")
    encoder = load_encoder(workshop / "merged")
    ids = [
        token
        for one in encoder.encode(list(read_texts(workshop / "new", "train")))
        for token in one
    ]
    new = [token for token in ids if sizes.base_size <= token < sizes.size]
    found = figures(report)
    assert found["new_pieces"] == sizes.new_pieces
    assert found["new_pieces_used"] == pytest.approx(len(set(new)) / sizes.new_pieces, abs=1e-4)
    assert found["tokens_that_are_new_pieces"] == pytest.approx(len(new) / len(ids), abs=1e-4)
    assert found["unreachable"] == 0


def test_a_piece_that_its_text_does_not_produce_is_counted(workshop: Path) -> None:
    encoder = load_encoder(workshop / "base")
    # of the base's control tokens, read as if they were new, none is made from its text
    assert _new_pieces(encoder, range(1, 3), ["text"]).unreachable == 2


def test_the_tables_show_pieces_and_lines(report: Path) -> None:
    pieces = json.loads((report / "report" / "pieces.json").read_text())
    counts = [row[1] for row in pieces["rows"]]
    lengths = [row[3] for row in pieces["rows"]]
    assert counts == sorted(counts, reverse=True) and counts[0] > 0
    assert lengths == sorted(lengths, reverse=True) and lengths[0] > 3
    lines = json.loads((report / "report" / "lines.json").read_text())
    new = [row for row in lines["rows"] if row[0] == "new"]
    old = [row for row in lines["rows"] if row[0] == "old"]
    assert all(row[4] < row[2] for row in new)
    assert all((row[1], row[2]) == (row[3], row[4]) for row in old) and old


def test_a_picture_shows_both_languages(report: Path) -> None:
    assert (report / "report" / "tokens.png").read_bytes().startswith(b"\x89PNG")


def test_a_vocabulary_that_was_kept_is_reported_too(workshop: Path, tmp_path: Path) -> None:
    from nativize.recipe import Vocabulary
    from nativize.vocabulary import merge_vocabulary

    corpora = workshop / "new", workshop / "old"
    with standalone(tmp_path / "kept") as place:
        merge_vocabulary(
            workshop / "base", workshop / "tokenizer", *corpora, place,
            vocabulary=Vocabulary(mode="none"),
        )  # fmt: skip
    with standalone(tmp_path / "out") as place:
        report_vocabulary(
            workshop / "base", tmp_path / "kept", *corpora, place, language=Language(code="ja")
        )
    assert figures(tmp_path / "out")["new_pieces"] == 0


@pytest.mark.parametrize(
    "line", ["東京では、春になると", "two words", "🇯🇵 ア゙ 漢字", " leading", "1923年", "a\tb"]
)
@pytest.mark.parametrize("tokenizer", ["base", "merged"])
def test_the_pieces_of_a_line_are_the_line(workshop: Path, tokenizer: str, line: str) -> None:
    encoder = load_encoder(workshop / tokenizer)
    pieces = cut(encoder, line)
    assert "".join(text for text, _ in pieces) == line
    assert sum(tokens for _, tokens in pieces) == len(encoder.encode([line])[0])


def test_a_character_written_in_bytes_is_one_piece_of_several_tokens(workshop: Path) -> None:
    assert ("鬱", 3) in cut(load_encoder(workshop / "base"), "a鬱")


def test_a_byte_level_tokenizer_is_shown_as_text(shared_data: Path, tmp_path: Path) -> None:
    name = shared_data / "tokenizers/gpt2/gpt-neo-tokenizer.json"
    (tmp_path / "tokenizer.json").write_bytes(name.read_bytes())
    pieces = cut(load_encoder(tmp_path), "the harbour 日本")
    assert [text for text, _ in pieces][:2] == ["the", " harbour"]
    assert "".join(text for text, _ in pieces) == "the harbour 日本"


EVIL = "<script>alert(1)</script><img src=x onerror='alert(1)'>&amp;\"\u202e"


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_text_of_the_corpus_cannot_speak_on_the_page() -> None:
    whole = CutLine("new", [(EVIL, 1), ("一", 3)], [(EVIL, 2)])
    page = Tags(cut_page([whole, replace(whole, language=EVIL[:-1])]))
    assert {"script", "img"}.isdisjoint(page.tags)
    assert EVIL[:-1] in page.text
    assert not re.search("\u202e", page.text)


def test_the_table_says_how_many_tokens_a_piece_takes() -> None:
    table = cut_table([CutLine("new", [("a", 1), ("鬱", 3)], [("a鬱", 1)])])
    assert table["rows"] == [["new", "a|鬱×3", 4, "a鬱", 1]]


def test_lines_that_are_shown_differ_and_are_of_readable_length() -> None:
    texts = ["short\n" + "x" * 20 + "\n" + "y" * 20, "x" * 20 + "\n" + "z" * 400]
    assert choose_lines(texts, 8) == ["x" * 20, "y" * 20, "z" * 50]
    assert choose_lines(["words " * 20], 8) == [("words " * 8).strip()]
    assert choose_lines(["\n".join(f"line number {n:08}" for n in range(100))], 4) == [
        f"line number {n:08}" for n in (0, 25, 50, 75)
    ]
