"""C4's lines and sentences are the published ones."""

import random

import pytest

from benchmarks import real_text
from nativize.clean.c4 import BRACKET, LOREM_IPSUM, c4_lines
from nativize.clean.normalise import normalise, policy_of
from nativize.recipe import Language, Normalisation
from nativize.recipe.clean import C4
from nativize.texts import Texts
from tests.clean import published_web as web

PIECES = [
    "One two three. ", "Four five six! ", 'He said "no." ', "a", "\n", "\n\n", "It ends...", "[12]",
    "Has a [edit] mark here.", "JavaScript must be on.", "See our privacy policy here.", "{ x }.",
    "Lorem Ipsum dolor sit.", "We uses cookies now.", "[citation needed]", "x" * 1_001 + " y z.",
    "?",
    "v1.2 is out now. ", "[]", "[x]", "terms of use apply here.",
]  # fmt: skip


def texts() -> list[str]:
    generator = random.Random(11)
    policy = policy_of(Language(code="en"), Normalisation())
    odd = ["".join(generator.choices(PIECES, k=generator.randrange(1, 14))) for _ in range(600)]
    return [normalise(text, policy) for text in (*odd, *real_text.documents("en", 400_000))]


@pytest.mark.parametrize("terminal", [True, False])
def test_lines_sentences_and_marks_are_as_published(terminal):
    """But for lines that end in a space once a citation is gone: they are stripped here."""
    compared = 0
    wanted = C4(terminal_punctuation=terminal)
    for text in texts():
        without_spaces = "\n".join(web.CITATION.sub("", line).strip() for line in text.split("\n"))
        if without_spaces != "\n".join(web.CITATION.sub("", line) for line in text.split("\n")):
            continue
        compared += 1
        left = c4_lines(Texts.of([text]), wanted)
        expected = web.c4(text, terminal=terminal)
        if left.marks[0]:
            reasons = {LOREM_IPSUM: "lorem_ipsum", BRACKET: "curly_bracket"}
            assert expected.reason in [r for mark, r in reasons.items() if left.marks[0] & mark], (
                text
            )
        elif left.sentences[0] < wanted.minimum_sentences:
            assert expected.reason == "too_few_sentences", text
        else:
            assert expected.reason is None, text
            assert [line for line in left.texts[0].split("\n") if line] == [
                line for line in expected.text.split("\n") if line
            ]
    assert compared > 300


def test_paragraphs_stay_apart_where_lines_go():
    text = "One two three.\n\nno\n\n\nFour five six.\nno\nSeven eight nine."
    left = c4_lines(Texts.of([text, ""]), C4(terminal_punctuation=True))
    assert left.texts[0] == "One two three.\n\nFour five six.\nSeven eight nine."
    assert left.sentences.tolist() == [3, 0]
