"""Group chat: instruction data and the model tuned on it.

Bodies import what they call: torch takes seconds, and a walk that reuses all needs none of it.
"""

from pathlib import Path

from dagster import AssetsDefinition

from assets.from_stage import from_stage
from nativize.artifact import Report
from nativize.budget import refuse_what_cannot_fit
from nativize.chat import INSTRUCT, SFT, SFT_MODEL
from nativize.chat.instruction import make_instruction_data
from nativize.recipe import Chat, Recipe
from resources.walk import Stretch


def instruction_data(stretch: Stretch) -> Report:
    """Dialogues as messages, split into train and held-out."""
    recipe = stretch.recipe
    return make_instruction_data(stretch.place, chat=_chat(recipe), directory=recipe.directory)


def sft_checkpoints(stretch: Stretch, model: Path, data: Path) -> Report:
    """The adapter of supervised fine-tuning on the answers."""
    from nativize.chat.tune import train_sft

    recipe = stretch.recipe
    refuse_what_cannot_fit(recipe, stretch.store, SFT.name)
    return train_sft(
        model,
        data,
        stretch.place,
        chat=_chat(recipe),
        trainer=recipe.trainer,
        launch=stretch.launch,
    )


def sft_model(stretch: Stretch, model: Path, checkpoints: Path) -> Report:
    """The chat model as a plain Hugging Face directory."""
    from nativize.model.merge import merge_checkpoints

    return merge_checkpoints(model, [checkpoints], stretch.place)


def chat_assets(recipe: Recipe) -> list[AssetsDefinition]:
    """The chat group of a recipe that has one."""
    return [
        from_stage(recipe, INSTRUCT, instruction_data, kinds={"json"}),
        from_stage(recipe, SFT, sft_checkpoints, kinds={"torch"}, trains=True),
        from_stage(recipe, SFT_MODEL, sft_model, kinds={"torch"}),
    ]


def _chat(recipe: Recipe) -> Chat:
    if recipe.chat is None:
        raise LookupError("the recipe has no [chat] section, so it has no chat assets")
    return recipe.chat
