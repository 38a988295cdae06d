"""What a person sees of a value in the UI. All text from a corpus is escaped here."""

import base64
import html
from pathlib import Path

from dagster import MetadataValue, TableRecord

from nativize.artifact import REPORT, Accounts, Artifact

MOST_TEXT = 4_000


def metadata_of(artifact: Artifact) -> dict[str, object]:
    """Figures, reason, books and pictures of a value as Dagster metadata."""
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
    for path in sorted((artifact.path / REPORT).glob("*")):
        shown[path.stem.replace("_", " ")] = _picture_or_text(path)
    return shown


def escaped(text: str) -> str:
    """Text that Markdown and HTML show as it is."""
    return html.escape(text).replace("|", "&#124;").replace("`", "&#96;").replace("[", "&#91;")


def _plain(value: object) -> object:
    return value if isinstance(value, (bool, int, float)) else str(value)


def _funnel(accounts: Accounts) -> MetadataValue:
    rows = [("entered", accounts.entered)]
    rows += [(f"dropped: {reason}", count) for reason, count in accounts.dropped.items()]
    rows += [("quarantined", accounts.quarantined), ("kept", accounts.kept)]
    return MetadataValue.table([TableRecord({"": name, **vars(count)}) for name, count in rows])


def _picture_or_text(path: Path) -> MetadataValue:
    if path.suffix == ".png":
        data = base64.b64encode(path.read_bytes()).decode()
        return MetadataValue.md(f"![{escaped(path.stem)}](data:image/png;base64,{data})")
    text = path.read_text(encoding="utf-8", errors="replace")[:MOST_TEXT]
    return MetadataValue.md(f"<pre>{escaped(text)}</pre>")
