"""The texts of the vocabulary benchmark: what is trained on, and what is measured on.

Of each language books and manuals are trained on; measured are books of other authors, manuals of
other programs and Wikipedia, of which nothing is trained on. Long texts are cut to pages, all are
normalised as the road does it. Only lines of prose count: at least half of their characters are of
the language's script, so that no English code makes a tokenizer look better than it is.
"""

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import polib

from benchmarks import real_text
from benchmarks.language import squad
from nativize.clean.normalise import normalise, policy_of
from nativize.recipe import Language, Normalisation

SCRIPT = re.compile("[\u3005-\u3007\u3041-\u30ff\u3400-\u9fff]")
"""Kana and ideographs."""
EAST_ASIAN = re.compile(
    "[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
    "\U0001f200-\U0001f2ff\U00020000-\U0003ffff]"
)
"""A line with one of these is not English, and may be cut anew."""
LEAST_PROSE = 0.5
COMPOSED_DOCUMENTS = 3_000

OTHER_AUTHORS = ("cards/000148/", "cards/000035/")
"""Natsume Sōseki and Dazai Osamu; the nine other authors are trained on."""
OTHER_BOOKS = ("双语数据/史记/", "双语数据/徐霞客游记/", "双语数据/世说新语/")

Texts = Iterable[str]


@dataclass(frozen=True)
class Corpus:
    """Pages of a language by what they are.

    Attributes:
        code: of the language.
        train: pages to learn from, each kind in a fixed random order.
        heldout: prose to measure on, of sources that are not trained on.
    """

    code: str
    train: Mapping[str, Sequence[str]]
    heldout: Mapping[str, Sequence[str]]


def corpora(heldout_characters: int) -> Iterator[Corpus]:
    """Japanese and Chinese; composed Japanese alone where no text lies beside the project."""
    if not real_text.TEXT.exists():
        pages = list(islice(real_text.composed("ja"), COMPOSED_DOCUMENTS))
        half = len(pages) // 2
        yield Corpus("ja", {"composed": pages[:half]}, {"composed": pages[half:]})
        return
    for code, (train, heldout) in SOURCES.items():
        yield Corpus(
            code,
            {kind: _pages(code, read()) for kind, read in train.items()},
            {
                kind: up_to_characters(heldout_characters, prose(_pages(code, read())))
                for kind, read in heldout.items()
            },
        )


def english() -> tuple[list[str], list[str]]:
    """Old text to take the alphabet from, and lines of other old text, of which none may change."""
    if not real_text.TEXT.exists():
        pages = list(islice(real_text.composed("en"), COMPOSED_DOCUMENTS))
        half = len(pages) // 2
        return pages[:half], list(english_lines(pages[half:]))
    replay = [*real_text.wiki_demo(), *real_text.packed("en_powershell_a", ".md")()]
    other = [*real_text.gutenberg(), *real_text.wikitext(), *real_text.c4_pages()]
    return _pages("en", replay), list(english_lines(_pages("en", other)))


def english_lines(texts: Texts) -> Iterator[str]:
    """Lines without any East Asian character."""
    for text in texts:
        yield from (line for line in text.split("\n") if line and not EAST_ASIAN.search(line))


def prose(texts: Texts) -> Iterator[str]:
    """Texts with nothing but their lines of prose; those without any are left out."""
    for text in texts:
        lines = [line for line in text.split("\n") if line.strip() and is_prose(line)]
        if lines:
            yield "\n".join(lines)


def is_prose(line: str) -> bool:
    return len(SCRIPT.findall(line)) >= LEAST_PROSE * len(line)


def up_to_characters(count: int, texts: Texts) -> list[str]:
    """Texts until they have so many characters."""
    taken, found = 0, []
    for text in texts:
        if taken >= count:
            break
        found.append(text)
        taken += len(text)
    return found


def aozora(others: bool) -> Iterator[str]:
    """Books of the authors that are trained on, or of the others."""
    for name, text in real_text.members("ja_aozora_a", ".txt", "cp932"):
        if name.startswith(OTHER_AUTHORS) == others:
            body = real_text.COLOPHON.sub("", real_text.LEGEND.sub("", text, count=1))
            yield real_text.RUBY.sub("", body)


def histories(others: bool) -> Iterator[str]:
    """Modern translations of the classical books that are trained on, or of the others."""
    for name, text in real_text.members("zh_niutrans_a", "target.txt"):
        if name.startswith(OTHER_BOOKS) == others:
            yield text


def python_manual() -> Iterator[str]:
    """The translated paragraphs of each page of the Python manual."""
    for _, text in real_text.members("ja_en_po_pydocs", ".po"):
        yield "\n".join(entry.msgstr for entry in polib.pofile(text) if entry.msgstr)


def manuals(*names: str) -> Iterator[str]:
    for name in names:
        yield from real_text.packed(name, ".md")()


def japanese_manuals() -> Iterator[str]:
    yield from manuals("ja_docs_rurema")
    yield from python_manual()


def questions() -> Iterator[str]:
    """The Chinese Wikipedia's paragraphs that questions were asked about."""
    path = real_text.DATA / "eval" / "cmrc2018" / "cmrc2018_trial.json"
    for article in json.loads(path.read_text("utf-8"))["data"]:
        yield from (paragraph["context"] for paragraph in article["paragraphs"])


def _pages(code: str, texts: Texts) -> list[str]:
    """Distinct normalised pages in a fixed random order."""
    policy = policy_of(Language(code=code), Normalisation())
    found = list(dict.fromkeys(normalise(text, policy) for text in real_text.pages(iter(texts))))
    random.Random(3).shuffle(found)
    return found


Read = Callable[[], Iterator[str]]
SOURCES: dict[str, tuple[dict[str, Read], dict[str, Read]]] = {
    "ja": (
        {"books": lambda: aozora(others=False), "manuals": japanese_manuals},
        {
            "books": lambda: aozora(others=True),
            "manuals": lambda: manuals("ja_docs_vue", "ja_docs_rustbook"),
            "Wikipedia": squad("eval", "jglue", "jsquad-v1.3_valid-v1.3.json"),
        },
    ),
    "zh": (
        {"books": lambda: histories(others=False), "manuals": lambda: manuals("zh_docs_react")},
        {
            "books": lambda: histories(others=True),
            "manuals": lambda: manuals("zh_docs_rustbook"),
            "Wikipedia": questions,
        },
    ),
}
"""Of each language what is trained on, and what is measured on."""
