"""What both peers' scripts share: documents in, seconds and kept ids out.

Runs in the peers' environment, on the standard library alone. Time is that of the way from a file
of JSON lines to one of those that are kept, as both projects' users walk it: no start-up, no
loading of dictionaries.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

WARM_UP = 20
"""Documents that are run through first, which loads dictionaries and compiles patterns."""

Documents = Sequence[tuple[str, str]]
"""Each document's id and text."""


def read(path: str) -> Documents:
    with Path(path).open(encoding="utf-8") as lines:
        return [(row["id"], row["text"]) for row in map(json.loads, lines)]


Run = Callable[[Iterable[str]], Iterable[tuple[str, str]]]
"""From lines to id and line of each document that is kept."""


def measured(path: str, run: Run) -> dict[str, Any]:
    """Seconds of the run on the clock and of the processor, kept ids, highest memory."""
    with Path(path).open(encoding="utf-8") as lines:
        list(run(islice(lines, WARM_UP)))
    started, used = time.perf_counter(), time.process_time()
    kept = _written(path, run)
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - used,
        "kept": kept,
        "peak_mb": peak_megabytes(),
    }


def _written(path: str, run: Run) -> list[str]:
    """The ids of what was kept, which lies beside the input afterwards."""
    kept = []
    with (
        Path(path).open(encoding="utf-8") as lines,
        Path(f"{path}.kept").open("w", encoding="utf-8") as out,
    ):
        for name, line in run(lines):
            out.write(line + "\n")
            kept.append(name)
    return kept


def peak_megabytes() -> float:
    """Highest memory of this process; Linux's ru_maxrss would count the parent's before exec."""
    status = Path("/proc/self/status")
    if status.exists():
        high = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(high.split()[1]) / 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def answer(content: dict[str, Any]) -> None:
    print(json.dumps(content))
