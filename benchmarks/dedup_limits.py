"""What limits the kernels: nanoseconds a character by step, beside the memory's bandwidth."""

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.dedup_data import mixed
from benchmarks.dedup_ours import LANGUAGE, SETTINGS
from nativize.compiled import compiled
from nativize.dedup.banding import Banding
from nativize.dedup.compare import similarities_of_spans
from nativize.dedup.shingles import (
    CHUNK,
    FIELDS,
    LONGEST_SEQUENCE,
    Shingling,
    begin,
    next_hashes,
    next_units,
    units_room,
)
from nativize.dedup.sketch import sign
from nativize.texts import Texts

REPEATS = 5


def main(texts: Sequence[str]) -> dict[str, float]:
    """A table of nanoseconds a character; as numbers too."""
    column, how, banding = Texts.of(texts), Shingling.of(LANGUAGE, SETTINGS), Banding.of(SETTINGS)
    characters, size = int(column.characters().sum()), int(column.offsets[-1])
    units = units_room(how.length)
    spans = np.stack([column.offsets[:-1], column.offsets[1:]], axis=1)
    pairs = np.arange(len(texts) // 2 * 2).reshape(-1, 2)
    itself = np.repeat(pairs[:, :1], 2, axis=1)
    normal = np.ones(len(texts), np.bool_)
    steps: dict[str, Callable[[], Any]] = {
        "decode and fold": lambda: _all_units(column.data, column.offsets, how, units),
        "and hash shingles": lambda: _all_hashes(column.data, column.offsets, how, units),
        "and sketch, digest, bands": lambda: sign(
            column, how, permutations=SETTINGS.permutations, bands=banding.bands,
            rows=banding.rows,
        ),
    }  # fmt: skip
    found = {name: 1e9 * _seconds(step) / characters for name, step in steps.items()}
    compared = sum(map(len, texts[: len(pairs) * 2 : 2])) * 2
    similar = _seconds(
        lambda: similarities_of_spans(column.data, spans, normal, itself, how, least=0.8)
    )
    found["compare, both texts of a pair"] = 1e9 * similar / compared
    block = np.ones(1 << 25)
    copied = 2 * block.nbytes / _seconds(block.copy)
    signing = size / (found["and sketch, digest, bands"] * characters / 1e9)
    print(f"\n{'step':34}{'ns/character':>14}")
    for name, nanoseconds in found.items():
        print(f"{name:34}{nanoseconds:14.2f}")
    print(
        f"signing reads {signing / 1e6:.0f} MB/s; copying memory moves {copied / 1e9:.1f} GB/s, so"
        f" {100 * signing / copied:.1f} % of the bandwidth: the arithmetic is the limit"
    )
    print(instructions())
    return {**found, "copy_gb_s": copied / 1e9, "sign_mb_s": signing / 1e6}


def instructions() -> str:
    """Whether this machine counts instructions, and how to have them counted."""
    counter = ["perf", "stat", "-x", ",", "-e", "instructions", "true"]
    if shutil.which("perf"):
        counted = subprocess.run(counter, capture_output=True, text=True, check=False).stderr
        if counted[:1].isdigit():
            return (
                "instructions a byte: perf stat -e instructions python -m benchmarks.dedup_limits"
            )
    return "instructions a byte: not measured, nothing counts instructions on this machine"


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
    state, hashes = np.empty(FIELDS, np.int64), np.empty(CHUNK + LONGEST_SEQUENCE, np.uint64)
    count = 0
    for text in range(len(offsets) - 1):
        begin(state, offsets[text], True)
        made = next_hashes(data, offsets[text + 1], how, state, units, hashes)
        while made:
            count += made
            made = next_hashes(data, offsets[text + 1], how, state, units, hashes)
    return count


if __name__ == "__main__":
    main(mixed(20_000_000))
