"""Project Gutenberg's books without the header and the licence around them.

What stands outside the START and END lines (since 2001), or before the end of the "small print"
(before), goes. A book without these lines stays as it is.
"""

import re

START = re.compile(
    r"^\*{3} ?START OF (?:THE|THIS) PROJECT GUTENBERG EBOOK[^\n]*(?:\n[^\n]+)?\*{3}[ \t]*$"
    r"|^\*END\*? ?THE SMALL PRINT!.*\*END\*[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
END = re.compile(
    r"^\*{3} ?END OF (?:THE|THIS) PROJECT GUTENBERG EBOOK"
    r"|^\s*End of (?:the |this )?Project Gutenberg(?:'s|’s)?(?: Etext| EBook| Edition)?\b",
    re.MULTILINE | re.IGNORECASE,
)
START_WITHIN = 30_000
PRODUCED_BY = re.compile(r"\A\s*(?:Produced|Prepared|Transcribed) by[^\n]*(?:\n[^\n]+)*\n", re.I)


def without_gutenberg_licence(text: str) -> str:
    """The book between header and licence."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    start = START.search(text, 0, START_WITHIN)
    book = text[start.end() :] if start else text
    end = END.search(book)
    book = book[: end.start()] if end else book
    return PRODUCED_BY.sub("", book).strip("\n") + "\n"
