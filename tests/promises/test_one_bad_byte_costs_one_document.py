"""Promise: one bad byte costs one document, or the one unit that its compression can prove whole.

In files of 1,000 documents one byte in the middle is turned over. The unit is the line, the
record, the gzip member, the zstd frame, the bzip2 block or the row group; nothing else is lost,
nothing altered comes out of a compressed file, and the quarantine names the place.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nativize.artifact import Report, standalone
from nativize.crawl import read_crawl
from nativize.engine import LocalEngine
from nativize.recipe import Crawl, CrawlSource
from tests.crawl.crawl_files import rows
from tests.crawl.damaged import COMPRESSIONS, FORMATS

DOCUMENTS = 1000
TEXTS = tuple(
    f"文書{number}。" + "".join(random.Random(number).choices("雨風山川海空文書本語", k=150))
    for number in range(DOCUMENTS)
)


def members(format: str, compression: str, texts_in_a_member: int) -> bytes:
    records = [FORMATS[format](text) for text in TEXTS]
    begins = range(0, DOCUMENTS, texts_in_a_member)
    compress = COMPRESSIONS[compression][1]
    return b"".join(compress(b"".join(records[b : b + texts_in_a_member])) for b in begins)


def parquet(path: Path) -> bytes:
    pq.write_table(
        pa.table({"text": list(TEXTS)}),
        path,
        row_group_size=50,
        compression="zstd",
        write_page_checksum=True,
    )
    return path.read_bytes()


CASES = [
    ("a.jsonl", lambda _: members("jsonl", "plain", 1), 1),
    ("a.warc", lambda _: members("warc", "plain", 1), 1),
    ("a.warc.wet", lambda _: members("warc.wet", "plain", 1), 1),
    ("a.warc.gz", lambda _: members("warc", "gzip", 1), 1),
    ("a.warc.wet.gz", lambda _: members("warc.wet", "gzip", 1), 1),
    ("a.warc.zst", lambda _: members("warc", "zstd", 1), 1),
    ("a.jsonl.gz", lambda _: members("jsonl", "gzip", 20), 20),
    ("a.jsonl.zst", lambda _: members("jsonl", "zstd", 20), 20),
    ("a.jsonl.xz", lambda _: members("jsonl", "xz", 20), 20),
    ("a.jsonl.bz2", lambda _: members("jsonl", "bzip2", DOCUMENTS), 220),
    ("a.parquet", parquet, 50),
]
"""A file, how it is made, and the documents of its unit; one bzip2 stream has blocks of 100 kB."""


def place_in(data: bytearray) -> int:
    """A byte of the text in the middle; where that is compressed, the byte in the middle."""
    at = data.find(TEXTS[DOCUMENTS // 2].encode())
    plain = at >= 0 and not data.startswith(b"PAR1")  # whose footer holds some texts as bounds
    return at + 100 if plain else len(data) // 2


def run(directory: Path, out: Path) -> Report:
    crawl = Crawl(source=(CrawlSource(name="s", path="a.*"),))
    with standalone(out) as place:
        return read_crawl(place, crawl=crawl, directory=directory, engine=LocalEngine(1))


@pytest.mark.parametrize(("name", "make", "unit"), CASES, ids=[case[0] for case in CASES])
def test_one_bad_byte_costs_one_document(
    name: str, make: Callable[[Path], bytes], unit: int, tmp_path: Path
) -> None:
    directory = tmp_path / "crawl"
    directory.mkdir()
    data = bytearray(make(directory / name))
    data[place_in(data)] ^= 0xFF
    (directory / name).write_bytes(data)
    report = run(directory, tmp_path / "out")
    report.accounts.verify(name)
    texts = [row["text"] for row in rows(tmp_path / "out")]
    lost = DOCUMENTS - len(texts)
    (quarantine,) = (tmp_path / "out").glob("*.quarantine.jsonl")
    entry = json.loads(quarantine.read_text(encoding="utf-8").splitlines()[0])
    print(
        f"{name}: {lost} of {DOCUMENTS} lost; {entry['offset']}+{entry['length']} {entry['reason']}"
    )
    assert texts == [text for text in TEXTS if text in set(texts)]
    assert 0 < lost <= unit
    assert (entry["file"], bool(entry["reason"])) == (name, True)
