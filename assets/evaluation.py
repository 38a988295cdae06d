"""Group evaluation: what became better and what was forgotten."""

from pathlib import Path

from dagster import AssetsDefinition

from assets.from_stage import from_stage
from nativize.artifact import Report
from nativize.evaluate import evaluate_models
from nativize.recipe import Recipe
from nativize.road import road
from resources.walk import Stretch


def evaluation_assets(recipe: Recipe) -> list[AssetsDefinition]:
    """The evaluation group of a recipe."""
    stage = road(recipe)["evaluation_report"]
    models = stage.inputs[:-2]

    def evaluation_report(stretch: Stretch, *inputs: Path) -> Report:
        """Bits per byte of every model on both languages, forgetting, and samples."""
        *paths, corpus, replay = inputs
        return evaluate_models(
            dict(zip(models, paths, strict=True)),
            corpus,
            replay,
            stretch.place,
            evaluation=stretch.recipe.evaluation,
        )

    return [from_stage(recipe, stage, evaluation_report, kinds={"torch"})]
