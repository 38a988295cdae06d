"""The sensor and the schedule ask for exactly the walk that the data calls for."""

import os

import dagster as dg

from dagster_project.definitions import build_definitions, walk_of
from nativize.sample import add_crawl_file
from tests.traveller import Traveller, built


def tick(traveller: Traveller, cursor: str | None = None) -> dg.SensorResult:
    definitions = build_definitions(traveller.recipe)
    sensor = definitions.resolve_sensor_def("retrain_when_data_changes")
    context = dg.build_sensor_context(
        instance=traveller.instance,
        cursor=cursor,
        resources={"walk": walk_of(traveller.recipe)},
    )
    return sensor.evaluate_tick(context)


def test_the_sensor_rests_while_the_crawl_is_what_the_model_was_made_of(
    traveller: Traveller,
) -> None:
    first = tick(traveller)
    assert not first.run_requests
    assert "made of" in (first.skip_message or "")
    again = tick(traveller, first.cursor)
    assert not again.run_requests
    assert "last look" in (again.skip_message or "")


def test_a_touched_file_moves_the_listing_and_starts_nothing(traveller: Traveller) -> None:
    cursor = tick(traveller).cursor
    for path in traveller.sample.glob("crawl/*/*"):
        os.utime(path)
    touched = tick(traveller, cursor)
    assert touched.cursor != cursor and not touched.run_requests


def test_the_sensor_asks_once_for_a_changed_crawl_and_the_walk_does_the_stale_work(
    traveller: Traveller,
) -> None:
    cursor = tick(traveller).cursor
    add_crawl_file(traveller.sample, number=910, documents=20)
    changed = tick(traveller, cursor)
    assert len(changed.run_requests or []) == 1
    assert not tick(traveller, changed.cursor).run_requests
    outcome = built(traveller.walk())
    assert {"raw_crawl", "lora_checkpoints"} <= outcome
    assert not {"base_model", "tokenizer", "instruction_data"} & outcome
    assert not tick(traveller).run_requests


def test_the_nightly_schedule_asks_for_the_corpus_refresh(traveller: Traveller) -> None:
    definitions = build_definitions(traveller.recipe)
    schedule = definitions.resolve_schedule_def("nightly_corpus_refresh")
    assert (schedule.job_name, schedule.cron_schedule) == ("corpus_refresh", "0 2 * * *")
    requests = schedule.evaluate_tick(dg.build_schedule_context(traveller.instance)).run_requests
    assert len(requests or []) == 1
