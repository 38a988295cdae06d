"""Texts as they go into the corpus: normalised, without furniture lines, without personal data."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from nativize.clean.boilerplate import (
    MAXIMUM_LINE_CHARACTERS,
    is_chain,
    is_menu,
    is_notice,
)
from nativize.clean.lines import CHAIN, MENU, PERSONAL, SIGN, suspect_lines
from nativize.clean.normalise import normalise_all, policy_of
from nativize.clean.personal import KINDS, replace_personal_data
from nativize.recipe import Clean, Language
from nativize.texts import Texts

BLANK_LINES = re.compile(rb"\n{3,}")

Change = tuple[int, int, bytes | None]
"""A line's begin and end in the text, and what stands there now; None: the line is gone."""


@dataclass(frozen=True)
class Tidy:
    """N cleaned texts, and what was changed in each.

    Attributes:
        texts: as they go into the corpus.
        furniture_lines: N, lines taken out.
        personal_data: by kind N placeholders put in.
    """

    texts: Texts
    furniture_lines: NDArray[np.int32]
    personal_data: dict[str, NDArray[np.int32]]


def tidy(texts: Texts, language: Language, clean: Clean) -> Tidy:
    """The texts in their normal form, cleaned as the recipe says."""
    normal = normalise_all(texts, policy_of(language, clean.normalisation))
    lines = np.zeros(len(texts), np.int32)
    kinds: list[str] = [kind for kind in KINDS if kind in clean.personal_data]
    if language.code != "ja":  # one in eleven numbers of twelve digits has the right check digit
        kinds = [kind for kind in kinds if kind != "my_number"]
    personal = {kind: np.zeros(len(texts), np.int32) for kind in kinds}
    changed: dict[int, bytes] = {}
    for number, group in groupby(_changes(normal, clean, personal), key=lambda item: item[0]):
        changes = [change for _, change in group]
        lines[number] = sum(text is None for _, _, text in changes)
        changed[number] = _with_changes(normal.bytes_of(number), changes)
    return Tidy(normal.replaced(changed), lines, personal)


def _changes(
    texts: Texts, clean: Clean, personal: dict[str, NDArray[np.int32]]
) -> Iterator[tuple[int, Change]]:
    """Number of the text and change, for every line that changes; placeholders are counted."""
    furniture = MENU | CHAIN | SIGN if clean.boilerplate_lines else 0
    for number, begin, end, kind in suspect_lines(texts):
        if not kind & (furniture | (PERSONAL if personal else 0)):
            continue
        line = texts.data[begin:end].tobytes().decode()
        start = int(texts.offsets[number])
        if kind & furniture and _is_furniture(line, kind):
            yield number, (begin - start, end - start, None)
        elif kind & PERSONAL and personal:
            replaced, counts = replace_personal_data(line, personal.keys())
            _add(counts, number, personal)
            if counts:
                yield number, (begin - start, end - start, replaced.encode())


def _is_furniture(line: str, kind: int) -> bool:
    line = line.strip()
    return len(line) <= MAXIMUM_LINE_CHARACTERS and bool(
        (kind & MENU and is_menu(line))
        or (kind & SIGN and is_notice(line))
        or (kind & CHAIN and is_chain(line))
    )


def _add(counts: Counter[str], number: int, personal: dict[str, NDArray[np.int32]]) -> None:
    for kind, count in counts.items():
        personal[kind][number] += count


def _with_changes(text: bytes, changes: list[Change]) -> bytes:
    pieces, done = [], 0
    for begin, end, line in changes:
        pieces.append(text[done:begin])
        if line is None:
            end += 1  # its newline goes with it
        else:
            pieces.append(line)
        done = end
    joined = b"".join([*pieces, text[done:]])
    return BLANK_LINES.sub(b"\n\n", joined).strip(b"\n")
