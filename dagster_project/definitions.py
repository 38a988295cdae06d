"""`build_definitions`: a recipe's graph as a pure function; nothing is wired at import."""

from collections.abc import Mapping
from typing import Any

from dagster import Definitions, in_process_executor

from assets import all_assets
from jobs import CORPUS_REFRESH, WHOLE_ROAD, nightly_schedule, retrain_sensor
from nativize.artifact import ArtifactStore
from nativize.engine import engine_at
from nativize.recipe import Recipe
from resources.home import current_recipe, store_root
from resources.trainer import PipesTrainer
from resources.walk import Walk


def walk_of(recipe: Recipe) -> Walk:
    """The recipe with its store, engine and trainer on this machine."""
    return Walk(
        recipe=recipe,
        store=ArtifactStore(store_root(), recipe.name),
        engine=engine_at(recipe.engine.ray_address, recipe.engine.workers),
        trainer=PipesTrainer(),
    )


def build_definitions(recipe: Recipe, *, overrides: Mapping[str, Any] | None = None) -> Definitions:
    """Assets, jobs, schedule and sensor of a recipe.

    Args:
        recipe: the road to lay.
        overrides: resources to use instead of this machine's, by name ("walk").
    """
    return Definitions(
        assets=all_assets(recipe),
        jobs=[WHOLE_ROAD, CORPUS_REFRESH],
        schedules=[nightly_schedule(recipe)],
        sensors=[retrain_sensor(recipe)],
        resources={"walk": walk_of(recipe), **(overrides or {})},
        # One process for all steps: a walk that reuses everything takes seconds, where a process
        # per step costs seconds each. Heavy work has processes of its own: the engine's, the
        # trainer's. Steps still take their pools' slots.
        executor=in_process_executor,
    )


def defs() -> Definitions:
    """The code location that `workspace.yaml` names: the recipe of ``NATIVIZE_RECIPE``."""
    return build_definitions(current_recipe())
