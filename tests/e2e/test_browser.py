"""A person clicks in the real UI, in a real browser; what is computed is read from the events."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dagster import DagsterEventType, DagsterRunStatus

from nativize.sample import add_crawl_file
from tests.e2e.test_interrupted_training import gone, trainers
from tests.traveller import Traveller

PROJECT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

pytestmark = [
    pytest.mark.skipif(not os.environ.get("NATIVIZE_SLOW"), reason="slow: make test-full"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


class Person:
    """Someone in front of the UI."""

    def __init__(self, traveller: Traveller, page: object, address: str) -> None:
        self.traveller, self.page, self.address = traveller, page, address

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=re.compile(name)).first.click()

    def new_run(self, action: Callable[[], None]) -> str:
        """The id of the run that an action, or waiting, starts."""
        known = {run.run_id for run in self.traveller.instance.get_runs()}
        action()
        return wait_for(
            lambda: next(
                (r.run_id for r in self.traveller.instance.get_runs() if r.run_id not in known), ""
            )
        )

    def outcome(self, run_id: str) -> dict[str, str]:
        """What a finished run did with each asset."""
        instance = self.traveller.instance
        wait_for(lambda: instance.get_run_by_id(run_id).is_finished)
        assert instance.get_run_by_id(run_id).status == DagsterRunStatus.SUCCESS
        entries = instance.all_logs(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
        events = [entry.dagster_event for entry in entries]
        return {
            e.asset_key.to_user_string(): "reused"
            if e.materialization.metadata["reused"].value
            else "built"
            for e in events
        }

    def built(self, run_id: str) -> set[str]:
        return {name for name, how in self.outcome(run_id).items() if how == "built"}


def wait_for(what: Callable[[], object], seconds: float = 180) -> object:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)
    return found


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/server_info", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def person(traveller: Traveller) -> Iterator[Person]:
    from playwright.sync_api import sync_playwright

    traveller.edit("[trainer]", '[schedule]\nnightly = "* * * * *"\nwatch_seconds = 5\n\n[trainer]')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "NATIVIZE_RECIPE": str(traveller.recipe_path)}
    server = subprocess.Popen(
        [sys.executable, "-m", "dagster_project", "ui", "--port", str(port)],
        cwd=PROJECT,
        env=environment,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(address))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1600, "height": 900})
            yield Person(traveller, page, address)
            browser.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def test_clicking_materialize_all_does_the_stale_work_and_no_more(person: Person) -> None:
    person.open("/asset-groups")
    assert person.built(person.new_run(lambda: person.click("Materialize all"))) == set()
    add_crawl_file(person.traveller.sample, number=920, documents=20)
    outcome = person.built(person.new_run(lambda: person.click("Materialize all")))
    assert {"raw_crawl", "token_shards", "gguf_export"} <= outcome
    assert not {"tokenizer", "quality_model", "base_model", "instruction_data"} & outcome


def test_the_schedule_and_the_sensor_tick_by_themselves(person: Person) -> None:
    def switch(kind: str, name: str) -> None:
        person.open(f"/locations/nativize/{kind}/{name}")
        person.page.locator("label:has(input[type=checkbox])").first.click()

    refresh = person.new_run(lambda: switch("schedules", "nightly_corpus_refresh"))
    assert person.built(refresh) == set()
    switch("schedules", "nightly_corpus_refresh")
    switch("sensors", "retrain_when_data_changes")
    retrain = person.new_run(
        lambda: add_crawl_file(person.traveller.sample, number=921, documents=20)
    )
    assert {"raw_crawl", "lora_checkpoints"} <= person.built(retrain)
    switch("sensors", "retrain_when_data_changes")


def test_terminating_a_run_leaves_no_trainer_behind(person: Person) -> None:
    longer = 'trainable = "lora"\nseed = 77\nsteps = 100_000'
    person.traveller.edit('trainable = "lora"\nsteps = 4', longer)
    person.open("/locations")
    person.open("/asset-groups")
    run = person.new_run(lambda: person.click("Materialize all"))
    wait_for(lambda: trainers(person.traveller))
    person.open(f"/runs/{run}")
    person.click("Terminate")
    person.page.get_by_role("dialog").get_by_role("button", name=re.compile("Terminate")).click()
    assert gone(person.traveller)
    status = person.traveller.instance.get_run_by_id
    wait_for(lambda: status(run).status == DagsterRunStatus.CANCELED)
