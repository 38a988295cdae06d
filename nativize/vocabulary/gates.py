"""What must hold of a merged vocabulary before anyone may use it, and how it is measured."""

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tokenizers import Tokenizer

from nativize.errors import VocabularyError
from nativize.vocabulary.encoder import Encoder
from nativize.vocabulary.piece_model import SPACE

PROBES = (
    "",
    " ",
    "    leading and trailing   ",
    "tab\tand  two   three    spaces",
    "👍🏽 👩‍👩‍👧‍👦 🇯🇵 emoji ✨",
    "１２３ ＡＢＣ 123 ABC",
    "ア゙ é é ﷺ \u200b\u00a0",
    "a日b本c語 日本 語",
)


LINE_CHARACTERS = 32
"""Of a line of `every_character`: the base's own failures excuse a line."""


@dataclass(frozen=True)
class Forms:
    """A vocabulary's encoder, and its Hugging Face form where that is another program."""

    encoder: Encoder
    other: Tokenizer | None = None


@dataclass(frozen=True)
class Findings:
    """What a comparison of base and merged model found, in lines of text.

    Attributes:
        old_lines: lines of old text in the old alphabet.
        old_lines_foreign: lines of old text with other characters, which may be cut anew.
        old_lines_changed: of ``old_lines``, those whose ids changed.
        lines: lines of both languages and probes that were encoded and decoded.
        round_trip_failures: lines that came back changed, though the base gives them back.
        disagreements: lines that sentencepiece and the Hugging Face form cut differently.
        own_disagreements: of these, lines on which the base's two forms agree.
        unreachable: new pieces that their own text does not produce.
        example: the first line that breaks a gate.
    """

    old_lines: int
    old_lines_foreign: int
    old_lines_changed: int
    lines: int
    round_trip_failures: int
    disagreements: int
    own_disagreements: int
    unreachable: int
    example: str

    def metrics(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if name != "example"}

    def require(self, where: Path) -> None:
        """Nothing, when all gates hold.

        Raises:
            VocabularyError: names the gate, how often it broke and the first line.
        """
        broken = {
            "lines of the old language changed their ids": self.old_lines_changed,
            "lines do not survive encoding and decoding": self.round_trip_failures,
            "lines are cut differently by sentencepiece and Hugging Face": self.own_disagreements,
            "new pieces can never be produced": self.unreachable,
        }
        for gate, count in broken.items():
            if count:
                raise VocabularyError(
                    f"{where}: {count} {gate}, first: {self.example!r}. Nothing was published;"
                    " this is a defect of the merge, please report it with that line."
                )


def examine(
    before: Forms,
    after: Forms,
    new_texts: Sequence[str],
    old_texts: Sequence[str],
    alphabet: frozenset[str],
    unreachable: Sequence[str],
) -> Findings:
    """What the merge changed, measured on sampled text of both languages and fixed probes.

    Args:
        before: the base.
        after: the merged vocabulary.
        new_texts: of the new language.
        old_texts: of the old language.
        alphabet: the old language's characters.
        unreachable: new pieces that were found to be so.
    """
    old_lines = lines_of(old_texts)
    plain = [line for line in old_lines if alphabet.issuperset(line)]
    lines = [*PROBES, *every_character(), *lines_of(new_texts), *old_lines]
    changed = differing(plain, before.encoder.encode(plain), after.encoder.encode(plain))
    lost = _lost(lines, after.encoder)
    lost = _without(lost, _lost(lost, before.encoder))
    cut_otherwise = disagreeing(lines, after)
    own = _without(cut_otherwise, disagreeing(cut_otherwise, before))
    return Findings(
        old_lines=len(plain),
        old_lines_foreign=len(old_lines) - len(plain),
        old_lines_changed=len(changed),
        lines=len(lines),
        round_trip_failures=len(lost),
        disagreements=len(cut_otherwise),
        own_disagreements=len(own),
        unreachable=len(unreachable),
        example=next(iter([*changed, *lost, *own, *unreachable]), ""),
    )


@functools.cache
def every_character() -> tuple[str, ...]:
    """Lines of all assigned characters of all planes, control characters too, no line break."""
    characters = [
        character
        for character in map(chr, range(0x110000))
        if unicodedata.category(character) not in ("Cn", "Cs", "Co") and character != "\n"
    ]
    characters += [chr(code) for code in (0xE000, 0xF8FF, 0xF0000, 0x10FFFD)]
    return tuple(
        "".join(characters[start : start + LINE_CHARACTERS])
        for start in range(0, len(characters), LINE_CHARACTERS)
    )


def lines_of(texts: Iterable[str]) -> list[str]:
    """The lines of texts that hold something."""
    return [line for text in texts for line in text.split("\n") if line]


def _lost(lines: Sequence[str], encoder: Encoder) -> list[str]:
    """Lines that do not come back as they were; a literal "▁" is a space by design."""
    returned = encoder.decode(encoder.encode(lines))
    pairs = zip(lines, returned, strict=True)
    return [line for line, back in pairs if back != line and SPACE not in line]


def disagreeing(lines: Sequence[str], forms: Forms) -> list[str]:
    """Lines that a vocabulary's two forms cut differently; none where it has one."""
    if forms.other is None:
        return []
    forms.other.encode_special_tokens = True
    encoded = forms.other.encode_batch_fast(list(lines), add_special_tokens=False)
    return differing(lines, forms.encoder.encode(lines), [one.ids for one in encoded])


def differing(
    lines: Sequence[str], left: Sequence[list[int]], right: Sequence[list[int]]
) -> list[str]:
    """Lines whose ids are not the same on both sides."""
    return [line for line, a, b in zip(lines, left, right, strict=True) if a != b]


def _without(lines: Sequence[str], excused: Sequence[str]) -> list[str]:
    known = set(excused)
    return [line for line in lines if line not in known]
