"""The sensor: when the crawl is not what the model was made of, walk the whole road."""

from dagster import (
    AssetObservation,
    ResourceParam,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from assets.corpus import CRAWL_SOURCE, crawl_listing
from jobs.walks import WHOLE_ROAD
from nativize.clean import FILTER
from nativize.crawl import READ_CRAWL
from nativize.recipe import Recipe
from nativize.replay import REPLAY
from nativize.road import outside
from resources.walk import Walk

DATA_VERSION_TAG = "dagster/data_version"


def retrain_sensor(recipe: Recipe) -> SensorDefinition:
    """`retrain_when_data_changes`: cheap listing first, contents only when that moved.

    The cursor is the last listing that was looked at, so a quiet crawl costs one listing a tick,
    and a touched file with the same content starts nothing. Off until a person switches it on.
    """

    @sensor(
        name="retrain_when_data_changes",
        job=WHOLE_ROAD,
        minimum_interval_seconds=recipe.schedule.watch_seconds,
    )
    def retrain(
        context: SensorEvaluationContext, walk: ResourceParam[Walk]
    ) -> SensorResult | SkipReason:
        listing = crawl_listing(walk.recipe)
        if listing == context.cursor:
            return SkipReason("the crawl is as it was at the last look")
        observed = AssetObservation(CRAWL_SOURCE, tags={DATA_VERSION_TAG: listing})
        changed = _changed_files(walk)
        if not changed:
            reason = SkipReason("the crawl holds what the current corpus was made of")
            return SensorResult(skip_reason=reason, cursor=listing, asset_events=[observed])
        context.log.info("changed since the last walk: %s", ", ".join(changed[:20]))
        return SensorResult(
            run_requests=[RunRequest(run_key=listing)], cursor=listing, asset_events=[observed]
        )

    return retrain


def _changed_files(walk: Walk) -> list[str]:
    """Crawl files and lists whose content differs from what the current corpora were made of."""
    changed: set[tuple[str, str]] = set()
    for stage in (READ_CRAWL, FILTER, REPLAY):
        payload = walk.store.previous_payload(stage.name)
        inputs = payload["inputs"] if payload else {}
        made_of = {name: digest for name, digest in inputs.items() if name not in stage.inputs}
        changed |= outside(walk.recipe, stage.name).items() ^ made_of.items()
    return sorted({name for name, _ in changed})
