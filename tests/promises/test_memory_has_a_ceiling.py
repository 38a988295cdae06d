"""Promise: whatever a crawl file holds, the process that reads it stays under 1 GiB.

Each file is read into shards by a process of its own, whose peak (VmHWM) is printed. Most files
are small and unfold to hundreds of megabytes; NATIVIZE_SLOW reads the larger ones too.
"""

import bz2
import gzip
import lzma
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

CEILING_BYTES = 1 << 30
MB = 1_000_000
SLOW = bool(os.environ.get("NATIVIZE_SLOW"))

READ = """
import sys
from pathlib import Path
from nativize.crawl.sources import crawl_files
from nativize.crawl.stage import read_bundle
from nativize.recipe import Crawl, CrawlSource

path, out = Path(sys.argv[1]), Path(sys.argv[2])
crawl = Crawl(source=(CrawlSource(name="s", path=path.name),))
files = tuple(crawl_files(crawl, path.parent))
accounts = read_bundle(files, crawl.max_document_bytes, crawl.shard_text_bytes, out).accounts
accounts.verify("test")
peak = next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l)
print(int(peak.split()[1]) * 1024, accounts.kept.documents, accounts.quarantined.documents)
"""


@dataclass(frozen=True)
class Case:
    """A crawl file; how many documents and how many refused records come of it."""

    name: str
    file: str
    write: Callable[[Path], object]
    documents: int
    quarantined: int
    slow: bool = False


def zeros(megabytes: int) -> Iterator[bytes]:
    """One line that never ends."""
    return (bytes(MB) for _ in range(megabytes))


def lines(count: int, line: bytes) -> Iterator[bytes]:
    return (line * 10_000 for _ in range(count // 10_000))


def gzipped(chunks: Callable[[], Iterator[bytes]]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with gzip.open(path, "wb", compresslevel=1) as stream:
            stream.writelines(chunks())

    return write


def zstd(path: Path) -> None:
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    path.write_bytes(b"".join(map(compressor.compress, zeros(500))) + compressor.flush())


def bzip2(path: Path) -> None:
    compressor = bz2.BZ2Compressor(9)
    path.write_bytes(b"".join(map(compressor.compress, zeros(300))) + compressor.flush())


def xz(path: Path) -> None:
    with lzma.open(path, "wb", preset=0) as stream:
        stream.writelines(zeros(300))


def zstd_window(path: Path) -> None:
    """A frame whose header asks for a window of 2 GiB."""
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x01\x00\x00" + b"\n")


def xz_dictionary(path: Path) -> None:
    """A block whose header asks for a dictionary of 4 GiB."""
    data = bytearray(lzma.compress(b'{"text": "x"}\n'))
    data[16] = 40
    data[20:24] = zlib.crc32(data[12:20]).to_bytes(4, "little")
    path.write_bytes(data)


def deep(path: Path) -> None:
    path.write_bytes(b'{"text": "x", "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")


def warc_header(path: Path) -> None:
    gzipped(lambda: iter([b"WARC/1.0\r\n", *(b"X: y\r\n" * 100_000,) * 170]))(path)


def warc_gzip_bomb(path: Path) -> None:
    body = gzip.compress(bytes(300 * MB), 1)
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n" + body
    head = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http\r\n"
    path.write_bytes(head + b"Content-Length: %d\r\n\r\n" % len(http) + http + b"\r\n\r\n")


def parquet(*texts: str, dictionary: bool = False) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        table = pa.table({"text": list(texts)})
        pq.write_table(table, path, compression="zstd", use_dictionary=dictionary)

    return write


def parquet_dictionary(path: Path) -> None:
    """Two hundred rows that name the same text of 10 MB."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 200, pa.int32()), ["a" * 10 * MB])
    pq.write_table(pa.table({"text": column}), path, compression="zstd")


def parquet_page(path: Path) -> None:
    """A page whose header declares 2 GB: its number takes five bytes, as that of 135 MB does."""
    parquet("a" * 135 * MB)(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x15", 6)  # field 2, an integer, behind field 1 at byte 4
    data[at + 1 : at + 6] = b"\xfe\xff\xff\xff\x0f"
    path.write_bytes(data)


CASES = (
    Case("gzip, one line of 500 MB", "a.jsonl.gz", gzipped(lambda: zeros(500)), 0, 1),
    Case("gzip, one line of 2 GB", "a.jsonl.gz", gzipped(lambda: zeros(2000)), 0, 1, slow=True),
    Case("zstd, one line of 500 MB", "a.jsonl.zst", zstd, 0, 1),
    Case("bzip2, one line of 300 MB", "a.jsonl.bz2", bzip2, 0, 1),
    Case("xz, one line of 300 MB", "a.jsonl.xz", xz, 0, 1),
    Case("zstd, a window of 2 GiB", "a.jsonl.zst", zstd_window, 0, 1),
    Case("xz, a dictionary of 4 GiB", "a.jsonl.xz", xz_dictionary, 0, 1),
    Case("text, 500 MB in one document", "a.txt.gz", gzipped(lambda: zeros(500)), 0, 1),
    Case("a line nested 100,000 deep", "a.jsonl", deep, 0, 1),
    Case(
        "200,000 tiny records",
        "a.jsonl.gz",
        gzipped(lambda: lines(200_000, b'{"text": "a"}\n')),
        200_000,
        0,
    ),
    Case(
        "a million tiny records",
        "a.jsonl.gz",
        gzipped(lambda: lines(1_000_000, b'{"text": "a"}\n')),
        1_000_000,
        0,
        slow=True,
    ),
    Case(
        "two million broken records",
        "a.jsonl.gz",
        gzipped(lambda: lines(2_000_000, b"{\n")),
        0,
        2_000_000,
        slow=True,
    ),
    Case("WARC, a header of 100 MB", "a.warc.gz", warc_header, 0, 1),
    Case("WARC, a body of 300 MB in 300 kB", "a.warc", warc_gzip_bomb, 0, 1),
    Case("WARC, 500 MB of zeros", "a.warc.gz", gzipped(lambda: zeros(500)), 0, 1),
    Case("Parquet, a string of 200 MB", "a.parquet", parquet("a", "b" * 200 * MB, "c"), 0, 1),
    Case(
        "Parquet, a string of 500 MB",
        "a.parquet",
        parquet("a", "b" * 500 * MB, "c"),
        0,
        1,
        slow=True,
    ),
    Case(
        "Parquet, 200 rows of one 10 MB text",
        "a.parquet",
        parquet_dictionary,
        200,
        0,
        slow=True,
    ),
    Case("Parquet, a page that declares 2 GB", "a.parquet", parquet_page, 0, 1),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_worker_stays_under_one_gibibyte(case: Case, tmp_path: Path) -> None:
    if case.slow and not SLOW:
        pytest.skip("slow: make test-full")
    peak, documents, quarantined = read(case, tmp_path)
    assert (documents, quarantined) == (case.documents, case.quarantined)
    assert peak < CEILING_BYTES


def test_refused_records_are_written_and_not_held(tmp_path: Path) -> None:
    """A list of 100,000 would be 75 MB."""
    peaks = []
    for count in (10_000, 110_000):
        data = gzipped(lambda count=count: lines(count, b"{\n"))
        (tmp_path / str(count)).mkdir()
        case = Case(f"{count:,} broken records", "a.jsonl.gz", data, 0, count)
        peak, _, quarantined = read(case, tmp_path / str(count))
        assert quarantined == count
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 10 * MB


def read(case: Case, directory: Path) -> tuple[int, int, int]:
    """Peak in bytes, documents and refused records of a case in a process of its own."""
    path, out = directory / case.file, directory / "out"
    out.mkdir()
    case.write(path)
    command = [sys.executable, "-c", READ, str(path), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    peak, documents, quarantined = map(int, done.stdout.split())
    print(f"{case.name}: file {path.stat().st_size:,} bytes, peak {peak / MB:.0f} MB")
    return peak, documents, quarantined
