"""Promise: whatever documents a shard holds, the process that filters it stays under 1 GiB.

Each shard is measured and decided upon by a process of its own, whose peak (VmHWM) is printed.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nativize.crawl.document import SCHEMA, DocumentFile

CEILING_BYTES = 1 << 30
LONGEST_BYTES = 16_000_000
"""Longer documents are quarantined when they are read."""

FILTER = """
import sys
from pathlib import Path
from nativize.clean.decide import decide_shard
from nativize.clean.measure import measure_shard
from nativize.clean.presets import thresholds
from nativize.recipe import Clean, Language

shard, language = Path(sys.argv[1]), Language(code=sys.argv[2])
measured, out, wanted = shard.parent / "m", shard.parent / "o", thresholds(language, Clean())
for place in (measured, out):
    place.mkdir()
measure_shard(shard, language, Clean(), wanted, measured)
report = decide_shard(measured / shard.name, language, Clean(), wanted, {}, [], out)
report.accounts.verify("test")
peak = next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)
print(int(peak.split()[1]) * 1024, report.accounts.entered.documents)
"""


def words() -> Iterator[str]:
    yield "word another thing. \n" * (LONGEST_BYTES // 21)


def menus() -> Iterator[str]:
    yield "\n".join(["ホーム"] * (LONGEST_BYTES // 10))


def full_width() -> Iterator[str]:
    yield "㍿ＡＢＣ、㌔ｶﾞ" * (LONGEST_BYTES // 24)


def crumbs() -> Iterator[str]:
    return (f"あ{number}" for number in range(200_000))


@pytest.mark.parametrize(
    ("texts", "code"),
    [(words, "en"), (menus, "ja"), (full_width, "ja"), (crumbs, "ja")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_filtering_stays_under_a_gigabyte(texts, code, tmp_path: Path) -> None:
    empty = {field.name: "" for field in SCHEMA} | {"offset": 0, "length": 0}
    shard, count = tmp_path / "s.parquet", 0
    with DocumentFile(shard) as rows:
        for count, text in enumerate(texts(), 1):
            rows.add({**empty, "id": f"{count:032x}", "text": text})
    done = subprocess.run(
        [sys.executable, "-c", FILTER, str(shard), code], capture_output=True, text=True, check=True
    )
    peak, entered = map(int, done.stdout.split())
    print(f"{texts.__name__}: {peak / 1e6:.0f} MB")
    assert entered == count
    assert peak < CEILING_BYTES
