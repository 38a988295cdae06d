"""What every command shares: its log, its result as text or JSON, its errors as exit codes."""

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from nativize.artifact import Report, Workplace, standalone
from nativize.errors import NativizeError

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
output = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Directory to make; it appears whole or not at all.",
)


def make(stage: Callable[[Workplace], Report], directory: Path, json_wanted: bool) -> None:
    """Run a stage into a directory of its own and show its report."""
    with standalone(directory) as place:
        report = stage(place)
        if report.accounts:
            report.accounts.verify(directory.name)
    show({"output": str(directory), **report.to_json()} if json_wanted else _lines(report))
    if not json_wanted:
        click.echo(f"written: {directory}", err=True)


def show(result: Any) -> None:
    """Text lines as they are, anything else as JSON."""
    if isinstance(result, list) and all(isinstance(line, str) for line in result):
        click.echo("\n".join(result))
    else:
        click.echo(json.dumps(result, indent=1, ensure_ascii=False, sort_keys=True))


def _lines(report: Report) -> list[str]:
    lines = [f"{name:32} {_number(value)}" for name, value in report.metrics.items()]
    if report.accounts is None:
        return lines
    lines.append(f"{'documents entered':32} {report.accounts.entered.documents:,}")
    for reason, count in report.accounts.dropped.items():
        lines.append(f"{'  dropped: ' + reason:32} {count.documents:,}")
    lines.append(f"{'  quarantined':32} {report.accounts.quarantined.documents:,}")
    return [*lines, f"{'documents kept':32} {report.accounts.kept.documents:,}"]


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"


class Commands(click.Group):
    """A group whose commands end with code 1 and one message where something can be mended."""

    def invoke(self, context: click.Context) -> Any:
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
        logging.getLogger("nativize").setLevel(logging.INFO)
        try:
            return super().invoke(context)
        except NativizeError as error:
            raise click.ClickException(str(error)) from error
