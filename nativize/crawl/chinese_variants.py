"""Chinese Wikipedia's conversion markup, ``-{zh-hans:计算机;zh-hant:電腦}-``, as one variant.

Articles are written in whatever characters their authors use; the markup stands where converting
goes wrong. The simplified reading is taken where one is given, so the result is a function of the
page alone. Rules that show nothing (flags T, H, D, -) go.

Source: https://www.mediawiki.org/wiki/Writing_systems/Syntax
"""

import re

MARKUP = re.compile(r"-\{((?:(?!-\{|\}-).)*)\}-", re.DOTALL)
FLAGS = re.compile(
    r"\s*([A-Z+\-](?:\s*;\s*[A-Z+\-])*|zh(?:-[a-z]+)?(?:\s*;\s*zh(?:-[a-z]+)?)*)?\s*\|"
)
RULE = re.compile(r"(?:^|;)[^;:]*?(zh(?:-[a-z]+)?)\s*:\s*([^;]*)")
FIRST_TO_LAST = ("zh-hans", "zh-cn", "zh-sg", "zh-my", "zh", "zh-hant", "zh-tw", "zh-hk", "zh-mo")
SHOWS_NOTHING = frozenset("THD-")
MAXIMUM_DEPTH = 10


def one_variant(wikitext: str) -> str:
    """The wikitext with every conversion replaced by one of its readings."""
    for _ in range(MAXIMUM_DEPTH):  # innermost first
        wikitext, replaced = MARKUP.subn(lambda found: _reading(found[1]), wikitext)
        if not replaced:
            break
    return wikitext


def _reading(content: str) -> str:
    head = FLAGS.match(content)
    if head:
        content = content[head.end() :]
        flags = {flag.strip() for flag in head[1].split(";")}
        if flags & SHOWS_NOTHING:
            return ""
        if "R" in flags:
            return content
    readings = {name: text.strip() for name, text in RULE.findall(content)}
    return next((readings[name] for name in FIRST_TO_LAST if name in readings), content)
