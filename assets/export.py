"""Group export: what people take home."""

from pathlib import Path

from dagster import AssetsDefinition

from assets.from_stage import from_stage
from nativize.artifact import Report
from nativize.export import export_gguf
from nativize.recipe import Recipe
from nativize.road import road
from resources.walk import Stretch


def gguf_export(stretch: Stretch, model: Path, corpus: Path, replay: Path) -> Report:
    """GGUF files that llama.cpp loaded and found equal to the model."""
    recipe = stretch.recipe
    return export_gguf(model, corpus, replay, stretch.place, name=recipe.name, export=recipe.export)


def export_assets(recipe: Recipe) -> list[AssetsDefinition]:
    """The export group of a recipe."""
    return [from_stage(recipe, road(recipe)["gguf_export"], gguf_export, kinds={"gguf"})]
