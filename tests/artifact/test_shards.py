"""Shard by shard: what is finished is linked, what is new is made, a kill loses nothing else."""

from pathlib import Path

import pytest

from nativize.artifact import Accounts, ArtifactStore, Inputs, Report, ShardTask, Stage, Workplace
from nativize.engine import LocalEngine

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
