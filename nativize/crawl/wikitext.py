"""Wikitext to the text that a reader reads: paragraphs, headings and lists without markup.

What a template shows is known for the few that wrap words of a sentence; all others go, with
tables, references, files, categories, formulas, and the sections of notes and links at an article's
end; the names stand in wikitext.toml. mwparserfromhell parses (2 MB/s): of the two kept parsers it
is the one under a licence like ours (MIT; wikitextparser, 3 MB/s, is GPL-3.0), and neither removes
any of this by itself.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import mwparserfromhell as parser
from mwparserfromhell import nodes

from nativize.crawl.chinese_variants import one_variant

MAXIMUM_WORK = 50_000_000
"""Unclosed brackets times characters; the parser takes 0.1 µs for each: 5 seconds."""

NAMES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
HIDDEN_NAMESPACES = frozenset(NAMES["hidden_namespaces"])
HIDDEN_TAGS = frozenset(NAMES["hidden_tags"])
APPENDIX = frozenset(NAMES["appendix"])
SHOWN_ARGUMENT = {name: n for n in (1, 2, 3) for name in NAMES[f"shown_argument_{n}"]}
MEASURES = frozenset(NAMES["measures"])
SIGNS: Mapping[str, str] = NAMES["signs"]
LANGUAGE_LINK = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*")
LANGUAGE_TEMPLATE = re.compile(r"lang-[a-z\-]{2,12}")
OPENED = re.compile(r"(?P<open>[\[{]|<[a-z][^<>/]*>)|(?P<close>[\]}]|</[a-z])", re.I)
SWITCH = re.compile(r"__[A-Z]{3,20}__")
EMPTY_BRACKETS = re.compile(r"[（(][\s、，,;；:：・]*[)）]|\[\s*\]")
AFTER_BRACKET = re.compile(r"([（(])[\s、，,;；]+")
BEFORE_BRACKET = re.compile(r"[\s、，,;；]+([)）])")
SEPARATORS = re.compile(r"([、，；])[\s、，；]+(?=[、，；）])")
BLANK_LINES = re.compile(r"\n{3,}")


def plain_text(wikitext: str, hidden_namespaces: Iterable[str] = ()) -> str:
    """The text of an article.

    Args:
        wikitext: the article as it is written.
        hidden_namespaces: what its site calls files and categories, lower case, beside the
            names in use in Japanese, Chinese, Korean and English.

    Raises:
        ValueError: so many brackets are not closed that parsing would take minutes.
    """
    unclosed = _unclosed(wikitext)
    if unclosed * len(wikitext) > MAXIMUM_WORK:
        raise ValueError(f"wikitext with {unclosed} unclosed brackets")
    show = _Renderer(HIDDEN_NAMESPACES | set(hidden_namespaces))
    return "\n\n".join(_with_content(_sections(parser.parse(one_variant(wikitext)), show)))


def _unclosed(wikitext: str) -> int:
    depth = 0
    for found in OPENED.finditer(wikitext):
        depth = depth + 1 if found["open"] else max(0, depth - 1)
    return depth


def _sections(code: Any, show: "_Renderer") -> Iterator[tuple[int, str]]:
    """(level, heading) and (0, text) in order, without what stands in an appendix."""
    growing: list[str] = []
    skipping = 7
    for node in code.nodes:
        if isinstance(node, nodes.Heading):
            yield 0, tidy("".join(growing))
            growing.clear()
            heading = tidy(show(node.title))
            if node.level <= skipping:
                skipping = node.level if heading.casefold() in APPENDIX else 7
            if skipping == 7:
                yield node.level, heading
        elif skipping == 7:
            growing.append(show.node(node))
    yield 0, tidy("".join(growing))


def _with_content(sections: Iterable[tuple[int, str]]) -> list[str]:
    """Texts and those headings that have a text below them."""
    kept: list[str] = []
    above = 0  # headings above this level have a text below them
    for level, text in reversed(list(sections)):
        if text and (not level or level < above):
            kept.append(text)
            above = level or 7
    return kept[::-1]


class _Renderer:
    """What nodes of a parsed article show."""

    def __init__(self, hidden_namespaces: Iterable[str]) -> None:
        self._hidden_namespaces = frozenset(hidden_namespaces)

    def __call__(self, code: Any) -> str:
        return "".join(map(self.node, code.nodes)) if code is not None else ""

    def node(self, node: Any) -> str:
        match node:
            case nodes.Text():
                return str(node.value)
            case nodes.HTMLEntity():
                return str(node.normalize())
            case nodes.Wikilink():
                return self._link(node)
            case nodes.ExternalLink():
                return self(node.title) if node.brackets else ""
            case nodes.Tag():
                return self._tag(node)
            case nodes.Template():
                return self._template(node)
            case nodes.Heading():  # within a tag
                return f"\n\n{self(node.title)}\n\n"
        return ""  # comments, and arguments of a template's own text

    def _link(self, node: Any) -> str:
        title = str(node.title).strip()
        prefix = title.partition(":")[0].strip().lower() if ":" in title else ""
        if prefix in self._hidden_namespaces:
            return ""
        if node.text is not None:
            return self(node.text)
        return "" if LANGUAGE_LINK.fullmatch(prefix) else title.removeprefix(":")

    def _tag(self, node: Any) -> str:
        name = str(node.tag).strip().lower()
        if name in HIDDEN_TAGS:
            return ""
        if name in {"br", "hr"}:
            return "\n"
        return self(node.contents)

    def _template(self, node: Any) -> str:
        name = str(node.name).strip().lower().replace("_", " ")
        if name in SIGNS:
            return SIGNS[name]
        if name in MEASURES:
            return f"{self._argument(node, 1)} {self._argument(node, 2)}"
        place = 1 if LANGUAGE_TEMPLATE.fullmatch(name) else SHOWN_ARGUMENT.get(name)
        return self._argument(node, place) if place else ""

    def _argument(self, node: Any, place: int) -> str:
        return self(node.get(place).value) if node.has(place) else ""


def tidy(text: str) -> str:
    """The text without empty brackets, stray separators and superfluous white space."""
    text = SWITCH.sub("", text).replace("\u00a0", " ")
    text = SEPARATORS.sub(r"\1", text)
    text = BEFORE_BRACKET.sub(r"\1", AFTER_BRACKET.sub(r"\1", text))
    lines = (" ".join(line.split()) for line in EMPTY_BRACKETS.sub("", text).split("\n"))
    return BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
