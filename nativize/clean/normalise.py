"""One form for equal text: Unicode form, punctuation, newlines, invisible characters, blank space.

What carries meaning stays: paragraphs, indentation of code, zero-width joiners (emoji, Indic
scripts), Tibetan tsheg and stacks. A document of which every character can be decided by table is
written by the kernel (about 400 MB/s); the others go through Python's `unicodedata` once.
"""

import re
import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nativize.clean.code_points import (
    BLANK,
    COMPLEX,
    DROP,
    FULL_WIDTH,
    FULL_WIDTH_MARKS,
    IDEOGRAPHIC_MARKS,
    INVISIBLE,
    JAPANESE_MARK,
    KEEP,
    MOST_GROWTH,
    NEWLINE,
    REPLACE,
    RETURN,
    SELECTORS,
    SPACE,
    Policy,
    code_points,
)
from nativize.compiled import compiled
from nativize.recipe import Language, Normalisation
from nativize.texts import Texts
from nativize.utf8 import decode

AUTO = {
    "ja": Policy("NFKC", "narrow", "、。", "drop_ideographic"),
    "zh": Policy("NFC", "narrow", "keep", "drop_ideographic"),
    "bo": Policy("none", "keep", "keep", "keep"),
    "dz": Policy("none", "keep", "keep", "keep"),
}
"""Chinese keeps ，。！？, which NFKC would make ASCII. NFC would take Tibetan stacks apart."""
OTHERS = Policy("NFC", "keep", "keep", "keep")

# kana, ideographs and closing brackets: behind them a full-width comma or full stop is Japanese
JAPANESE = (
    "\u3005-\u3007\u3009\u300b\u300d\u300f\u3011\u3041-\u31ff\u3400-\u9fff\uf900-\ufaff\uff09"
)
MARK = re.compile(f"(?:(?<=[{JAPANESE}])())?([{IDEOGRAPHIC_MARKS}{FULL_WIDTH_MARKS}])")
PROTECTED = {ord(mark): 0xFDD0 + number for number, mark in enumerate(FULL_WIDTH_MARKS)}
"""Non-characters, which no normalised text holds, stand for ，． while NFKC would take them."""


def policy_of(language: Language, wanted: Normalisation) -> Policy:
    """The recipe's wishes, "auto" resolved by language."""
    automatic = AUTO.get(language.code, OTHERS)
    names = ("form", "full_width", "punctuation", "variation_selectors")
    given = {name: getattr(wanted, name) for name in names}
    return Policy(**{n: getattr(automatic, n) if v == "auto" else v for n, v in given.items()})


def normalise(text: str, policy: Policy) -> str:
    """One text in its normal form; applying it twice changes nothing more.

    At most one blank line stands between paragraphs, none at the ends.
    """
    return normalise_all(Texts.of([text]), policy)[0]


def normalise_all(texts: Texts, policy: Policy) -> Texts:
    """All texts in their normal form."""
    normal, complicated = _normalise(texts, policy)
    if not complicated.any():
        return normal
    rows: list[int] = np.flatnonzero(complicated).tolist()
    # what unicodedata has normalised stays as it is; lines and blank space are still to be done
    done = Texts.of([_by_python(texts[row], policy) for row in rows])
    finished, _ = _normalise(done, Policy("none", "keep", "keep", "keep"))
    return normal.replaced({row: finished.bytes_of(n) for n, row in enumerate(rows)})


def _normalise(texts: Texts, policy: Policy) -> tuple[Texts, NDArray[np.bool_]]:
    tables = code_points(policy)
    data, offsets, complicated = _rewrite(
        texts.data, texts.offsets, tables.classes, tables.targets, tables.begins, tables.bytes,
        _code(policy.punctuation), _code(policy.form == "NFKC" and "NFKC"),
    )  # fmt: skip
    return Texts(data, offsets), complicated


def _code(choice: str | bool) -> int:
    return {"、。": 1, "，．": 2, "NFKC": 1}.get(str(choice), 0)


def _by_python(text: str, policy: Policy) -> str:
    """Unicode form, marks and selectors of a text with characters that combine."""
    if policy.full_width == "narrow":
        text = text.translate(FULL_WIDTH)
    dropped = (*INVISIBLE, *SELECTORS[policy.variation_selectors])
    text = text.translate({p: None for first, last in dropped for p in range(first, last + 1)})
    if policy.form != "none":
        text = unicodedata.normalize(policy.form, text.translate(PROTECTED))
        text = text.translate({stand_in: mark for mark, stand_in in PROTECTED.items()})
    return MARK.sub(lambda found: _mark_of(found[2], found[1], policy), text)


def _mark_of(mark: str, japanese: str | None, policy: Policy) -> str:
    """A comma or full stop as the policy has it, by whether it stands behind Japanese."""
    is_comma = mark in "、，"
    if japanese is None:
        ascii_mark = policy.form == "NFKC" and mark in FULL_WIDTH_MARKS
        return ("," if is_comma else ".") if ascii_mark else mark
    return mark if policy.punctuation == "keep" else policy.punctuation[0 if is_comma else 1]


@compiled
def _is_japanese(point: Any) -> bool:
    """Whether `JAPANESE` holds it."""
    if point < 0x3041:
        brackets = point == 0x3009 or point == 0x300B or point == 0x300D
        signs = 0x3005 <= point <= 0x3007
        return bool(signs or brackets or point == 0x300F or point == 0x3011)
    if point >= 0xF900:
        return bool(point <= 0xFAFF or point == 0xFF09)
    return bool(point <= 0x31FF or 0x3400 <= point <= 0x9FFF)


@compiled
def _mark(point: Any, wanted: int) -> Any:
    """The third byte of a comma or full stop in the wanted form, and whether it is ideographic."""
    is_comma = point == 0x3001 or point == 0xFF0C
    ideographic = wanted == 1 or (wanted == 0 and point < 0xFF00)
    if ideographic:
        return (0x81 if is_comma else 0x82), True
    return (0x8C if is_comma else 0x8E), False


@compiled
def _rewrite(
    data: Any,
    offsets: Any,
    classes: Any,
    targets: Any,
    begins: Any,
    replacements: Any,
    punctuation: int,
    compatibility: int,
) -> Any:
    """All texts rewritten by table: bytes, offsets, and which of them cannot be done so."""
    count = len(offsets) - 1
    out = np.empty(MOST_GROWTH * (offsets[-1] - offsets[0]) + 8, np.uint8)
    ends = np.zeros(count + 1, np.int64)
    complicated = np.zeros(count, np.bool_)
    o = 0
    for text in range(count):
        begin, at, end = o, offsets[text], offsets[text + 1]
        fixed, newlines, previous = o, 0, np.uint32(0)
        while at < end:
            if data[at] < 0x80:
                point, length = np.uint32(data[at]), 1
                kind = classes[point]
                if kind == KEEP:
                    out[o] = data[at]
                    o += 1
                    fixed, newlines, previous = o, 0, point
                    at += 1
                    continue
            else:
                point, length = decode(data, at)
                kind = classes[point]
            if kind == KEEP:
                for place in range(length):
                    out[o + place] = data[at + place]
                o += length
                fixed, newlines = o, 0
            elif kind in (SPACE, BLANK):
                if kind == BLANK:
                    out[o] = 32
                    o += 1
                else:
                    for place in range(length):
                        out[o + place] = data[at + place]
                    o += length
            elif kind in (NEWLINE, RETURN):
                if kind == RETURN and at + 1 < end and data[at + 1] == 10:
                    length = 2
                o = fixed
                if o > begin and newlines < 2:
                    out[o] = 10
                    o += 1
                    fixed, newlines = o, newlines + 1
            elif kind == REPLACE:
                target = targets[point]
                for place in range(begins[target], begins[target + 1]):
                    if replacements[place] & 0xC0 != 0x80:
                        point, _ = decode(replacements, place)
                    out[o] = replacements[place]
                    o += 1
                fixed, newlines = o, 0
            elif kind == JAPANESE_MARK:
                if _is_japanese(previous):
                    last, ideographic = _mark(point, punctuation)
                    out[o] = 0xE3 if ideographic else 0xEF
                    out[o + 1] = 0x80 if ideographic else 0xBC
                    out[o + 2] = last
                    o += 3
                elif compatibility and point >= 0xFF00:
                    out[o] = 44 if point == 0xFF0C else 46
                    o += 1
                else:
                    for place in range(length):
                        out[o + place] = data[at + place]
                    o += length
                fixed, newlines = o, 0
            elif kind == COMPLEX:
                complicated[text] = True
                break
            if kind != DROP:
                previous = point
            at += length
        o = fixed
        while o > begin and out[o - 1] == 10:
            o -= 1
        if complicated[text]:
            o = begin
        ends[text + 1] = o
    return out[:o].copy(), ends, complicated
