"""The Dagster instance: created once, under a lock.

Two processes that start a fresh instance at once can break it for good (two migration heads),
so nothing starts Dagster before `ensure_instance` has returned.
"""

import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster import DagsterInstance, RunsFilter
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES

from nativize.artifact.lock import exclusive, is_held
from resources.home import nativize_home

WALK_TAG = "nativize/walk"
CONFIGURATION = Path(__file__).with_name("dagster.yaml")


def ensure_instance() -> Path:
    """``DAGSTER_HOME``, set in the environment, with an instance in it that is ready to use."""
    home = Path(os.environ.get("DAGSTER_HOME") or nativize_home() / "dagster").resolve()
    os.environ["DAGSTER_HOME"] = str(home)
    with exclusive(nativize_home() / "locks" / "instance.lock", "creating the Dagster instance"):
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CONFIGURATION, home / "dagster.yaml")
        logging.getLogger("alembic").setLevel(logging.WARNING)
        with DagsterInstance.get() as instance:
            instance.get_runs_count()
    return home


@contextmanager
def living_walk(instance: DagsterInstance) -> Iterator[dict[str, str]]:
    """Tags for a run in this process, after ending what walks that were killed left behind.

    A killed process cannot give back its pool's slot, and without the daemon nobody else does: the
    next training would wait for ever. Each walk holds a lock, which the kernel drops with it.
    """
    _end_dead_walks(instance)
    walk = uuid.uuid4().hex
    with exclusive(_walk_lock(walk), "walk"):
        yield {WALK_TAG: walk}
    _walk_lock(walk).unlink()


def _end_dead_walks(instance: DagsterInstance) -> None:
    for run in instance.get_runs(RunsFilter(statuses=IN_PROGRESS_RUN_STATUSES)):
        walk = run.tags.get(WALK_TAG)
        if walk and not is_held(_walk_lock(walk)):
            instance.report_run_failed(run, "the process of this walk was killed")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            _walk_lock(walk).unlink()


def _walk_lock(walk: str) -> Path:
    return nativize_home() / "locks" / "walks" / f"{walk}.lock"


if __name__ == "__main__":
    ensure_instance()
