"""The nightly schedule: keep the corpus fresh, train nothing."""

from dagster import RunRequest, ScheduleDefinition, schedule

from jobs.walks import CORPUS_REFRESH
from nativize.recipe import Recipe


def nightly_schedule(recipe: Recipe) -> ScheduleDefinition:
    """`nightly_corpus_refresh` at the recipe's hour; off until a person switches it on."""

    @schedule(
        name="nightly_corpus_refresh", job=CORPUS_REFRESH, cron_schedule=recipe.schedule.nightly
    )
    def nightly() -> RunRequest:
        return RunRequest()

    return nightly
