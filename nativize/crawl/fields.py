"""The document of a record with named fields: of a JSON object, or of a row of a table.

A name reaches into nested fields by dots (``metadata.identification.label``); a field whose own
name has dots comes first. A list of texts is one text, a line for each.
"""

from collections.abc import Mapping
from typing import Any

from nativize.crawl.document import Document
from nativize.crawl.reader import CrawlFile, Dropped

OTHER_FIELDS = {
    "url": (
        "url",
        "source_url",
        "warc_headers.warc-target-uri",
        "metadata.url",
        "meta.url",
    ),
    "licence": ("licence", "license", "metadata.license", "meta.license"),
    "fetched_at": (
        "fetched_at",
        "date",
        "timestamp",
        "date_download",
        "warc_headers.warc-date",
        "created",
    ),
    "language": (
        "language",
        "lang",
        "metadata.identification.label",
        "warc_headers.warc-identified-content-language",
    ),
}
"""Names under which corpora in the wild keep what a document records, ours first.

Among them are those of OSCAR 22.01 and 23.01, CCNet, mC4, FineWeb and Dolma.
"""


def column_names(text_field: str) -> set[str]:
    """Outermost fields that a document may take something from."""
    names = [text_field, *(name for names in OTHER_FIELDS.values() for name in names)]
    return {*names, *(name.partition(".")[0] for name in names)}


def document_of_row(
    file: CrawlFile, row: Mapping[str, Any], offset: int, length: int, locator: str = ""
) -> Document | Dropped | None:
    """The document of a record; None where its text is no valid text."""
    text = _joined(_value(row, file.source.text_field))
    if text is None or not is_encodable(text):
        return None
    fields = {field: _first_text(row, names) for field, names in OTHER_FIELDS.items()}
    return file.document(text, offset=offset, length=length, locator=locator, **fields)


def _value(row: Mapping[str, Any], name: str) -> Any:
    """What lies under a name; None where there is nothing."""
    if name in row:
        return row[name]
    first, _, rest = name.partition(".")
    inner = row.get(first) if rest else None
    return _value(inner, rest) if isinstance(inner, Mapping) else None


def _joined(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    return value if isinstance(value, str) else None


def _first_text(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    values = (_value(row, name) for name in names)
    return next((v for v in values if isinstance(v, str) and is_encodable(v)), "")


def is_encodable(text: str) -> bool:
    """Whether a text has no lone surrogates, which JSON can smuggle in as ``\\ud800``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
