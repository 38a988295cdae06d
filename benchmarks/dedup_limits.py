"""What limits the kernels: time and instructions by step, beside the memory's bandwidth.

Instructions are counted by valgrind, where it is installed; it knows no AVX-512, so that they are
those of machine code for `COUNTED_CPU`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import real_text
from benchmarks.dedup_data import mixed
from benchmarks.dedup_ours import LANGUAGE, SETTINGS
from nativize.compiled import compiled
from nativize.dedup.banding import Banding
from nativize.dedup.compare import similarities_of_spans
from nativize.dedup.shingles import (
    FIELDS,
    HASHES,
    Shingling,
    begin,
    next_hashes,
    next_units,
    units_room,
)
from nativize.dedup.sketch import sign
from nativize.texts import Texts

ROOT = Path(__file__).resolve().parent.parent
REPEATS = 5
COUNTED_BYTES = 200_000
COUNTED_CPU = "haswell"
MARK = "os_getppid"
"""What is behind `os.getppid`, which nobody else calls; valgrind writes its counts down before."""
SIGNING, COMPARING = "and sketch, digest, bands", "compare, both texts of a pair"


def main(texts: Sequence[str]) -> dict[str, float]:
    """Tables of nanoseconds a character and of instructions a byte; the former as numbers too."""
    characters, size = sum(map(len, texts)), sum(len(text.encode()) for text in texts)
    found = {name: 1e9 * _seconds(step) / characters for name, step in steps_over(texts).items()}
    block = np.ones(1 << 25)
    copied = 2 * block.nbytes / _seconds(block.copy)
    signing = size / (found[SIGNING] * characters / 1e9)
    counted = instructions(texts)
    print(f"\n{'step':34}{'ns/character':>14}{'instructions/byte':>20}")
    for name, nanoseconds in found.items():
        print(f"{name:34}{nanoseconds:14.2f}{counted.get(name, float('nan')):20.1f}")
    if not counted:
        print("instructions are not counted: that takes valgrind and a Python with symbols")
    print(
        f"signing reads {signing / 1e6:.0f} MB/s; copying memory moves {copied / 1e9:.1f} GB/s, so"
        f" {100 * signing / copied:.1f} % of the bandwidth: the arithmetic is the limit"
    )
    by_byte = {f"{name}, instructions a byte": value for name, value in counted.items()}
    return {**found, **by_byte, "copy_gb_s": copied / 1e9, "sign_mb_s": signing / 1e6}


def steps_over(texts: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """Each step over all texts with the ones before it, and texts compared with themselves."""
    column, how, banding = Texts.of(texts), Shingling.of(LANGUAGE, SETTINGS), Banding.of(SETTINGS)
    units = units_room(how.length)
    spans = np.stack([column.offsets[:-1], column.offsets[1:]], axis=1)
    # half of all texts, so that both of all pairs are as many characters as all have
    itself = np.repeat(np.arange(0, len(texts), 2)[:, None], 2, axis=1)
    normal = np.ones(len(texts), np.bool_)
    return {
        "decode and fold": lambda: _all_units(column.data, column.offsets, how, units),
        "and hash shingles": lambda: _all_hashes(column.data, column.offsets, how, units),
        SIGNING: lambda: sign(
            column, how, permutations=SETTINGS.permutations, bands=banding.bands,
            rows=banding.rows,
        ),
        COMPARING: lambda: similarities_of_spans(
            column.data, spans, normal, itself, how, least=0.8
        ),
    }  # fmt: skip


def instructions(texts: Sequence[str]) -> dict[str, float]:
    """Instructions a byte of each step, over the first texts.

    Nothing without valgrind, or with an interpreter without symbols, which has no mark.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return {}
    some = list(real_text.up_to(COUNTED_BYTES, texts))
    environment = {**os.environ, "NUMBA_CPU_NAME": COUNTED_CPU, "NUMBA_CPU_FEATURES": ""}
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "texts").write_text("\0".join(some), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.dedup_limits", "--count", str(root / "texts")]
        counting = [
            valgrind, "--quiet", "--tool=callgrind", f"--dump-before={MARK}",
            f"--callgrind-out-file={root / 'counts'}",
        ]  # fmt: skip
        # compiled first by itself: valgrind takes some thirty times as long
        for before in ([], counting):
            subprocess.run(
                [*before, *command], check=True, cwd=ROOT, env=environment,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
        names = list(steps_over(some))
        # the first part is all that comes before the first step
        paths = [root / f"counts.{part + 2}" for part in range(len(names))]
        parts = [path.read_text("utf-8") for path in paths if path.exists()]
    if len(parts) < len(names):
        return {}
    size = sum(len(text.encode()) for text in some)
    return {name: _counted(part) / size for name, part in zip(names, parts, strict=True)}


def _counted(profile: str) -> int:
    (line,) = (line for line in profile.splitlines() if line.startswith("summary:"))
    return int(line.split()[1])


def count(path: Path) -> None:
    """Every step once, with calls of the mark before, between and behind."""
    steps = steps_over(path.read_text("utf-8").split("\0"))
    for step in steps.values():
        step()
    os.getppid()
    for step in steps.values():
        step()
        os.getppid()


def _seconds(step: Callable[[], Any]) -> float:
    step()
    best = float("inf")
    for _ in range(REPEATS):
        used = time.process_time()
        step()
        best = min(best, time.process_time() - used)
    return best


@compiled
def _all_units(data: Any, offsets: Any, how: Any, units: Any) -> int:
    state, count = np.empty(FIELDS, np.int64), 0
    for text in range(len(offsets) - 1):
        begin(state, offsets[text], True)
        made = next_units(data, offsets[text + 1], how, state, units, 0)
        while made:
            count += made
            made = next_units(data, offsets[text + 1], how, state, units, 0)
    return count


@compiled
def _all_hashes(data: Any, offsets: Any, how: Any, units: Any) -> int:
    state, hashes = np.empty(FIELDS, np.int64), np.empty(HASHES, np.uint64)
    count = 0
    for text in range(len(offsets) - 1):
        begin(state, offsets[text], True)
        made = next_hashes(data, offsets[text + 1], how, state, units, hashes)
        while made:
            count += made
            made = next_hashes(data, offsets[text + 1], how, state, units, hashes)
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=Path, metavar="TEXTS", help="what valgrind is run on")
    options = parser.parse_args()
    if options.count:
        count(options.count)
    else:
        main(mixed(20_000_000))
