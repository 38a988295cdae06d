"""What a benchmark found, kept in ``benchmarks/results`` by machine, and shown in the README."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def results_path(name: str) -> Path:
    """Where a benchmark's results on this kind of machine lie."""
    machine = f"{platform.system()}-{platform.machine()}".lower()
    return ROOT / "benchmarks" / "results" / f"{name}-{machine}.json"


def read_results(name: str) -> dict[str, Any]:
    """What was recorded last; nothing where nothing was."""
    path = results_path(name)
    if not path.exists():
        return {}
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def write_results(name: str, found: Mapping[str, Any], packages: Sequence[str]) -> None:
    """What was found, and with which versions of Python and packages."""
    versions = {package: importlib.metadata.version(package) for package in packages}
    content = {**found, "python": platform.python_version(), "versions": versions}
    path = results_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def write_readme(begin: str, end: str, table: str) -> None:
    """A table between two marks of the README."""
    readme = ROOT / "README.md"
    before, rest = readme.read_text("utf-8").split(begin)
    _, after = rest.split(end)
    readme.write_text(f"{before}{begin}\n{table}\n{end}{after}", "utf-8")
