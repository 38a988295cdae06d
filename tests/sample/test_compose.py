"""Composed documents: one style, one language, no frame twice, and lengths that filters keep."""

import re
from itertools import combinations
from random import Random

import pytest

from nativize.sample.compose import PLAIN, POLITE, Document, Pen, compose
from nativize.sample.material import SampleError, load_material

POLITE_END = re.compile(r"(です|ます|でした|ました|ません|でしょう|ましょう)$")


def documents(language: str, count: int = 300) -> list[Document]:
    random = Random("test")
    return [compose(load_material(language), random) for _ in range(count)]


def sentences(document: Document) -> list[str]:
    return [part for text in document.paragraphs for part in text.split("。") if part]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_lengths_stay_between_300_and_3000_characters(language: str) -> None:
    lengths = [len(document.text) for document in documents(language)]
    assert min(lengths) >= 300
    assert max(lengths) <= 3000


def test_every_sentence_of_a_document_is_in_its_style() -> None:
    for document in documents("ja"):
        ends = {bool(POLITE_END.search(sentence)) for sentence in sentences(document)}
        assert ends == {document.style == POLITE}, document.text


def test_every_frame_is_fillable_in_both_styles() -> None:
    material = load_material("ja")
    for topic in material.topics:
        for subject in topic.subjects:
            for style in (POLITE, PLAIN):
                pen = Pen(material, Random(0), style)
                pen.take_up(topic, subject)
                for frame in (*topic.notes, *(one for part in topic.paragraphs for one in part)):
                    written = pen.write(frame)
                    assert not set(written) & set("{}<>[]|"), frame
                    for sentence in written.rstrip("。").split("。"):
                        assert bool(POLITE_END.search(sentence)) == (style == POLITE), sentence


def test_english_leaves_no_markup_behind() -> None:
    assert not any(set(document.text) & set("{}<>[]|") for document in documents("en"))


def test_no_sentence_stands_twice_in_a_document() -> None:
    for document in documents("ja"):
        said = sentences(document)
        assert len(said) == len(set(said)), document.text


def test_japanese_is_nearly_all_kana_and_kanji() -> None:
    text = "".join(document.text for document in documents("ja"))
    letters = re.findall(r"[ぁ-んァ-ヶー一-龥々]", text)
    assert len(letters) / len(text) > 0.88


def test_composed_documents_are_no_near_duplicates_of_each_other() -> None:
    shingled = [
        {text[place : place + 5] for place in range(len(text) - 4)}
        for text in (document.text for document in documents("ja", 150))
    ]
    closest = max(len(a & b) / len(a | b) for a, b in combinations(shingled, 2))
    assert closest < 0.6


def test_an_unknown_word_class_names_itself() -> None:
    with pytest.raises(SampleError, match="no_such_class"):
        Pen(load_material("ja"), Random(0), PLAIN).write("{no_such_class}")
