"""Shard by shard: what is finished is linked, what is new is made, a kill loses nothing else."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nativize.artifact import (
    Accounts,
    ArtifactStore,
    Inputs,
    Report,
    ShardTask,
    Stage,
    Workplace,
    sha256_of,
    throughput,
)
from nativize.engine import LocalEngine
from nativize.errors import ArtifactError

STAGE = Stage("filtered_shards", 1, "corpus")


def shout(text: str, out: Path) -> Report:
    if text == "bad":
        raise ValueError("bad shard")
    accounts = Accounts()
    accounts.enter(text)
    accounts.keep(text)
    (out / f"{text}.txt").write_text(text.upper())
    return Report({"length": len(text)}, accounts)


def walk(store: ArtifactStore, texts: list[str], version: int = 1, workers: int = 1) -> list[bool]:
    made: list[bool] = []

    def build(place: Workplace) -> Report:
        tasks = [ShardTask(text, {"text": text}, (text,)) for text in texts]
        reports = place.shards.build(LocalEngine(workers), shout, tasks, place.out)
        made.extend(not report.metrics["shard_reused"] for report in reports)
        return Report(accounts=Accounts.total(r.accounts for r in reports if r.accounts))

    stage = Stage(STAGE.name, version, STAGE.group)
    store.materialise(stage, {}, Inputs(outside={text: text for text in texts}), build)
    return made


def test_a_new_shard_costs_one_shard(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "demo")
    assert walk(store, ["a", "b"]) == [True, True]
    assert walk(store, ["a", "b", "c"]) == [False, False, True]
    assert (store.current(STAGE.name).path / "a.txt").read_text() == "A"


def test_another_stage_version_makes_all_shards_again(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "demo")
    walk(store, ["a", "b"])
    assert walk(store, ["a", "b"], version=2) == [True, True]


def test_shards_finished_before_a_failure_are_kept(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "demo")
    with pytest.raises(ValueError, match="bad shard"):
        walk(store, ["a", "bad"])
    assert walk(store, ["a", "b"]) == [False, True]


def test_workers_do_not_change_the_content(tmp_path: Path) -> None:
    contents = []
    for workers in (1, 2):
        store = ArtifactStore(tmp_path / str(workers), "demo")
        walk(store, ["a", "b", "c"], workers=workers)
        contents.append(store.current(STAGE.name).content)
    assert contents[0] == contents[1]


def test_accounts_of_shards_add_up(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "demo")
    walk(store, ["a", "語"])
    accounts = store.current(STAGE.name).report.accounts
    assert accounts is not None
    assert vars(accounts.kept) == {"documents": 2, "characters": 2, "bytes": 4}


def shard_file(store: ArtifactStore, name: str) -> Path:
    """A file as it lies in the cache of shards."""
    (path,) = (store.root / "shards" / STAGE.name).glob(f"*/{name}")
    return path


def recorded(store: ArtifactStore, name: str) -> str:
    digest: str = store.current(STAGE.name).record.files[name]["sha256"]
    return digest


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Names of all files that Python opens meanwhile, for reading or for a sync."""
    names: list[str] = []
    watching = [True]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "open" and isinstance(arguments[0], (str, os.PathLike)):
            names.append(Path(os.fspath(arguments[0])).name)

    sys.addaudithook(watch)
    yield names
    watching.clear()


def test_a_refresh_opens_no_file_of_an_old_shard(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "demo")
    walk(store, ["old"])
    with opened_files() as names:
        walk(store, ["old", "new"])
    assert "new.txt" in names and "old.txt" not in names
    for name in ("old.txt", "new.txt"):
        assert recorded(store, name) == sha256_of(store.current(STAGE.name).path / name)


def test_a_shard_file_that_was_written_to_is_read_again(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "demo")
    walk(store, ["old"])
    path = shard_file(store, "old.txt")
    before = path.stat()
    path.write_text("LOD")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    walk(store, ["old", "new"])
    assert recorded(store, "old.txt") == sha256_of(path)


def test_a_file_that_replaces_a_linked_one_is_read(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "demo")

    def build(place: Workplace) -> Report:
        place.shards.build(LocalEngine(1), shout, [ShardTask("a", {}, ("a",))], place.out)
        linked = place.out / "a.txt"
        times = linked.stat()
        linked.unlink()
        linked.write_text("B")
        os.utime(linked, ns=(times.st_atime_ns, times.st_mtime_ns))
        return Report()

    store.materialise(STAGE, {}, Inputs(), build)
    assert recorded(store, "a.txt") == sha256_of(store.current(STAGE.name).path / "a.txt")
    assert shard_file(store, "a.txt").read_text() == "A"


def test_a_shard_of_an_older_version_is_linked_and_read(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "demo")
    walk(store, ["old"])
    report = shard_file(store, "shard.json")
    kept = json.loads(report.read_text())
    del kept["files"]
    report.write_text(json.dumps(kept))
    assert walk(store, ["old", "new"]) == [False, True]
    assert recorded(store, "old.txt") == sha256_of(shard_file(store, "old.txt"))


class Elsewhere:
    """Makes shards where nobody sees them, as a machine without the shared file system does."""

    def map(self, function: Any, calls: list[tuple[Any, ...]], label: str) -> list[Any]:
        results = [function(*call) for call in calls]
        for *_, place in calls:
            shutil.rmtree(place)
        return results


def test_a_shard_made_out_of_sight_is_named(tmp_path: Path) -> None:
    def build(place: Workplace) -> Report:
        place.shards.build(Elsewhere(), shout, [ShardTask("a", {}, ("a",))], place.out)
        return Report()

    with pytest.raises(ArtifactError, match="shared file system"):
        ArtifactStore(tmp_path, "demo").materialise(STAGE, {}, Inputs(), build)


def test_throughput_is_that_of_the_shards_made_now():
    assert throughput([(3_000_000, 1.0), (1_000_000, 1.0)]) == {"megabytes_per_core_second": 2.0}
    assert throughput([]) == {}
