"""Digests of outside files: read once, and again as soon as anything touched the file."""

import os
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from nativize.artifact.digests import remembered_digests

FAKE = "remembered"


@pytest.fixture
def crawl_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose digest is remembered, and stands falsely in the memory: reading would show."""
    monkeypatch.setenv("NATIVIZE_HOME", str(tmp_path / "home"))
    path = tmp_path / "a.warc"
    path.write_bytes(b"before")
    remembered_digests([path], settled_seconds=0)
    with sqlite3.connect(tmp_path / "home" / "digests.sqlite") as connection:
        assert connection.execute("UPDATE digests SET sha256 = ?", (FAKE,)).rowcount == 1
    connection.close()
    return path


def digest(path: Path) -> str:
    return remembered_digests([path], settled_seconds=0)[path]


def test_an_untouched_file_is_not_read_again(crawl_file):
    assert digest(crawl_file) == FAKE


def test_other_bytes_are_read_again(crawl_file):
    crawl_file.write_bytes(b"longer than before")
    assert digest(crawl_file) == sha256(b"longer than before").hexdigest()


def test_a_touched_file_is_read_again(crawl_file):
    os.utime(crawl_file, ns=(1, 1))
    assert digest(crawl_file) == sha256(b"before").hexdigest()


def test_other_bytes_under_the_old_size_and_time_are_read_again(crawl_file):
    """The change time gives them away; see the module for the file systems where it cannot."""
    status = crawl_file.stat()
    crawl_file.write_bytes(b"BEFORE")
    os.utime(crawl_file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert crawl_file.stat().st_mtime_ns == status.st_mtime_ns
    assert digest(crawl_file) == sha256(b"BEFORE").hexdigest()


def test_a_file_replaced_by_another_is_read_again(crawl_file):
    other = crawl_file.with_name("b.warc")
    other.write_bytes(b"BEFORE")
    os.replace(other, crawl_file)
    assert digest(crawl_file) == sha256(b"BEFORE").hexdigest()


def test_a_file_changed_a_moment_ago_is_not_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("NATIVIZE_HOME", str(tmp_path / "home"))
    path = tmp_path / "fresh.warc"
    path.write_bytes(b"x")
    remembered_digests([path])
    with sqlite3.connect(tmp_path / "home" / "digests.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM digests").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("damage", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_memory_is_replaced(crawl_file, tmp_path, damage, caplog):
    (tmp_path / "home" / "digests.sqlite").write_bytes(damage)
    assert digest(crawl_file) == sha256(b"before").hexdigest()
    assert "replaced" in caplog.text
    caplog.clear()
    assert digest(crawl_file) == sha256(b"before").hexdigest()
    assert not caplog.text


def test_a_home_that_cannot_be_written_is_done_without(crawl_file, tmp_path, monkeypatch, caplog):
    (tmp_path / "a file").write_bytes(b"")
    monkeypatch.setenv("NATIVIZE_HOME", str(tmp_path / "a file"))
    assert digest(crawl_file) == sha256(b"before").hexdigest()
    assert "not remembered" in caplog.text


def test_several_processes_share_the_memory(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("NATIVIZE_HOME", str(home))
    for number in range(40):
        (tmp_path / f"{number}.txt").write_bytes(str(number).encode())
    code = (
        "import sys; from pathlib import Path;"
        "from nativize.artifact.digests import remembered_digests as digests;"
        "[digests([path], settled_seconds=0) for path in map(Path, sys.argv[1:])]"
    )
    files = sorted(map(str, tmp_path.glob("*.txt")))
    processes = [
        subprocess.Popen([sys.executable, "-c", code, *files], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [process.communicate()[1] for process in processes] == [b"", b"", b""]
    with sqlite3.connect(home / "digests.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM digests").fetchone() == (40,)
    connection.close()
