"""The Dagster instance: created once, under a lock.

Two processes that start a fresh instance at once can break it for good (two migration heads),
so nothing starts Dagster before `ensure_instance` has returned.
"""

import logging
import os
import shutil
from pathlib import Path

from dagster import DagsterInstance

from nativize.artifact.lock import exclusive
from resources.home import nativize_home

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


if __name__ == "__main__":
    ensure_instance()
