"""The model: base, grown embeddings, one training a stage, and the merged result.

The stages stand here and need no torch; the functions that walk them do and are imported from
their modules: `base.make_base`, `extend.extend_model`, `training.train_stage`,
`merge.merge_checkpoints`.
"""

from collections.abc import Sequence

from nativize.artifact import Stage

BASE = Stage(
    name="base_model", version=1, group="model", inputs=("replay_corpus",), reads=("base",)
)

EXTEND = Stage(
    name="extended_model",
    version=1,
    group="model",
    inputs=("base_model", "merged_vocabulary"),
    reads=("extend",),
)

TRAINING_LOGS = ("metrics.jsonl", "tensorboard/*")
"""Files of a training with times in them."""


def training_stage(name: str, earlier: Sequence[str] = ()) -> Stage:
    """The stage of one training of the recipe.

    Args:
        name: the training's name in the recipe; the asset is ``<name>_checkpoints``.
        earlier: asset names of the trainings before it, in order.
    """
    return Stage(
        name=f"{name}_checkpoints",
        version=1,
        group="model",
        inputs=("extended_model", *earlier, "token_shards"),
        reads=(f"stage.{name}",),
        volatile=TRAINING_LOGS,
    )


def pretrained_stage(trainings: Sequence[str]) -> Stage:
    """The stage that merges all trainings of a recipe, by their asset names in order."""
    return Stage(
        name="pretrained_model",
        version=2,
        group="model",
        inputs=("extended_model", *trainings),
    )


__all__ = ["BASE", "EXTEND", "TRAINING_LOGS", "pretrained_stage", "training_stage"]
