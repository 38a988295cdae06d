"""Disk that a recipe's models and tokens take, by asset."""

from collections.abc import Sequence

from nativize.artifact import ArtifactStore
from nativize.budget.model import base_shapes, current_value
from nativize.budget.plan import Budget
from nativize.recipe import Recipe
from nativize.tokens.id_file import bits_for


def disk_of(recipe: Recipe, store: ArtifactStore, trainings: Sequence[Budget]) -> dict[str, float]:
    """Bytes by asset, weights and tokens alone; checkpoints lie there while a training runs."""
    base, _ = base_shapes(recipe, store)
    shapes = trainings[0].setup.shapes
    grown = float(shapes.total * shapes.weight_bytes)
    checkpoints = max(budget.checkpoint_bytes for budget in trainings)
    return {
        "token_shards": _tokens(recipe, store, trainings),
        "base_model": float(base.total * base.weight_bytes),
        "extended_model": grown,
        **{budget.stage: budget.result_bytes for budget in trainings},
        "checkpoints of one training": checkpoints,
        "pretrained_model": grown,
        **({"sft_model": grown} if recipe.chat else {}),
    }


def _tokens(recipe: Recipe, store: ArtifactStore, trainings: Sequence[Budget]) -> float:
    """The shards that are there; else every token of the longest training, seen once."""
    made = current_value(recipe, store, "token_shards")
    if made:
        return float(sum(path.stat().st_size for path in made.path.glob("*.tokens")))
    bits = bits_for(trainings[0].setup.shapes.vocabulary)
    on_shards = [t for t in trainings if t.setup.stage in recipe.stage]
    return bits / 8 * max(budget.tokens or 0 for budget in on_shards)
