"""The asset graph, one file a group; each body is one call into `nativize`. No logic here."""

from dagster import AssetsDefinition

from assets.chat import chat_assets
from assets.corpus import corpus_assets, crawl_source
from assets.evaluation import evaluation_assets
from assets.export import export_assets
from assets.model import model_assets
from assets.vocabulary import vocabulary_assets
from nativize.recipe import Recipe


def all_assets(recipe: Recipe) -> list[AssetsDefinition]:
    """Every asset of a recipe's road."""
    return [
        crawl_source(recipe),
        *corpus_assets(recipe),
        *vocabulary_assets(recipe),
        *model_assets(recipe),
        *(chat_assets(recipe) if recipe.chat else []),
        *export_assets(recipe),
        *evaluation_assets(recipe),
    ]


__all__ = ["all_assets"]
