"""What a person sees of a value in the UI. All text from a corpus is escaped here."""

import base64
import json
from collections import defaultdict
from pathlib import Path

from dagster import MetadataValue, TableRecord

from nativize.artifact import REPORT, Accounts, Artifact, Count

MOST_CELL_TEXT = 160
SPEAKING = frozenset("&<>\"'|`[]()*_~#\\!")
"""What HTML and Markdown read as more than itself."""


def metadata_of(artifact: Artifact) -> dict[str, object]:
    """Figures, reason, books, tables and pictures of a value as Dagster metadata."""
    record = artifact.record
    shown: dict[str, object] = {
        "reused": artifact.reused,
        "why": MetadataValue.md("\n".join(f"- {escaped(line)}" for line in artifact.why)),
        "path": MetadataValue.path(str(artifact.path)),
        "fingerprint": record.fingerprint,
        "seconds to build": round(record.seconds, 1),
    }
    shown |= {name: _plain(value) for name, value in artifact.metrics.items()}
    if artifact.report.accounts:
        shown["accounts"] = _funnel(artifact.report.accounts)
    return shown | _reports(artifact.path / REPORT)


def _reports(directory: Path) -> dict[str, object]:
    """Tables and pictures by the names of their files; what has one name is shown together."""
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(directory.glob("*")):
        if path.suffix in _SHOWN:
            parts[path.stem.replace("_", " ")].append(_SHOWN[path.suffix](path))
    return {name: MetadataValue.md("\n\n".join(texts)) for name, texts in parts.items()}


def escaped(text: str) -> str:
    """Text that Markdown and HTML show as it is."""
    return "".join(f"&#{ord(letter)};" if letter in SPEAKING else letter for letter in text)


def _plain(value: object) -> object:
    return value if isinstance(value, (bool, int, float)) else str(value)


def _funnel(accounts: Accounts) -> MetadataValue:
    """What entered, where it went, and what share of it that is."""
    rows = [("entered", accounts.entered)]
    dropped = sorted(accounts.dropped.items(), key=lambda item: -item[1].documents)
    rows += [(f"dropped: {reason}", count) for reason, count in dropped]
    rows += [("quarantined", accounts.quarantined), ("kept", accounts.kept)]
    whole = max(accounts.entered.documents, 1)
    return MetadataValue.table([_funnel_row(name, count, whole) for name, count in rows])


def _funnel_row(name: str, count: Count, whole: int) -> TableRecord:
    share = f"{100 * count.documents / whole:.1f} %"
    return TableRecord({"": name, "share of documents": share, **vars(count)})


def _picture(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f"![{escaped(path.stem)}](data:image/png;base64,{data})"


def _table(path: Path) -> str:
    """A table of a report as Markdown; long texts are cut, newlines shown as ⏎."""
    table = json.loads(path.read_text(encoding="utf-8"))
    head, *rows = [[_cell(value) for value in line] for line in (table["columns"], *table["rows"])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))


_SHOWN = {".png": _picture, ".json": _table}
"""How a report's file is shown, as Markdown; the UI has room for pictures and tables."""


def _cell(value: object) -> str:
    text = str(value)
    cut = text if len(text) <= MOST_CELL_TEXT else text[:MOST_CELL_TEXT] + "…"
    return escaped(cut).replace("\n", " ⏎ ")
