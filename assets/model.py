"""Group model: the base, its grown vocabulary, one asset per training, the merged result.

Bodies import what they call: torch takes seconds, and a walk that reuses all needs none of it.
"""

from pathlib import Path

from dagster import AssetsDefinition

from assets.from_stage import from_stage
from nativize.artifact import Report
from nativize.budget import refuse_what_cannot_fit
from nativize.model import EXTEND
from nativize.recipe import Recipe
from nativize.road import base_stage, road, training_stages
from resources.walk import Body, Stretch


def base_model(stretch: Stretch, *replay: Path) -> Report:
    """The pinned base: a hub revision, a local directory, or trained by the graph (demo)."""
    from nativize.model.base import make_base

    recipe = stretch.recipe
    return make_base(
        replay[0] if replay else None,
        stretch.place,
        base=recipe.base,
        directory=recipe.directory,
        trainer=recipe.trainer,
        launch=stretch.launch,
    )


def extended_model(stretch: Stretch, base: Path, vocabulary: Path) -> Report:
    """The base with embeddings and head grown to the merged vocabulary."""
    from nativize.model.extend import extend_model

    return extend_model(base, vocabulary, stretch.place, extend=stretch.recipe.extend)


def training(number: int) -> Body:
    """The body of the recipe's training with this number."""

    def checkpoints(stretch: Stretch, model: Path, *earlier_and_tokens: Path) -> Report:
        """What one training of the recipe changed: tensors or an adapter."""
        from nativize.model.training import train_stage

        *earlier, tokens = earlier_and_tokens
        recipe = stretch.recipe
        refuse_what_cannot_fit(recipe, stretch.store, training_stages(recipe)[number].name)
        return train_stage(
            model,
            earlier,
            tokens,
            stretch.place,
            stage=recipe.stage[number],
            trainer=recipe.trainer,
            launch=stretch.launch,
        )

    return checkpoints


def pretrained_model(stretch: Stretch, model: Path, *checkpoints: Path) -> Report:
    """The trained model as a plain Hugging Face directory, equal to model plus adapters."""
    from nativize.model.merge import merge_checkpoints

    return merge_checkpoints(model, checkpoints, stretch.place)


def model_assets(recipe: Recipe) -> list[AssetsDefinition]:
    """The model group of a recipe."""
    torch = {"torch"}
    trainings = [
        from_stage(recipe, stage, training(number), kinds=torch, trains=True)
        for number, stage in enumerate(training_stages(recipe))
    ]
    return [
        from_stage(recipe, base_stage(recipe), base_model, kinds=torch, trains=True),
        from_stage(recipe, EXTEND, extended_model, kinds=torch),
        *trainings,
        from_stage(recipe, road(recipe)["pretrained_model"], pretrained_model, kinds=torch),
    ]
