"""Which model a recipe trains, with its grown vocabulary: from a config.json, a value, a table."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from nativize.artifact import Artifact, ArtifactStore
from nativize.budget.published import PUBLISHED
from nativize.budget.shapes import Shapes, read_shapes
from nativize.errors import ArtifactError, BudgetError
from nativize.recipe import Recipe, ScratchModel, recipe_slice

ASSUMED_AUTO_SIZE = 16_000
"""Pieces where the recipe leaves the size to the curve and there is no curve yet."""


@dataclass(frozen=True)
class Model:
    """The model that a recipe's stages train.

    Attributes:
        shapes: with the new vocabulary.
        new_rows: rows of it that are new.
        source: where the shapes come from, for people.
        vocabulary: where its size comes from, for people.
    """

    shapes: Shapes
    new_rows: int
    source: str
    vocabulary: str


def model_of(recipe: Recipe, store: ArtifactStore) -> Model:
    """The model of a recipe; nothing is fetched.

    Raises:
        BudgetError: nothing here knows the base's shapes; says what to do.
    """
    base, source = base_shapes(recipe, store)
    made = current_value(recipe, store, "merged_vocabulary")
    if made:
        sizes = json.loads((made.path / "vocabulary.json").read_text(encoding="utf-8"))
        rows, new = sizes["padded_size"], sizes["new_pieces"]
        return Model(replace(base, vocabulary=rows), new, source, f"{rows:,} rows as merged")
    if recipe.vocabulary.mode == "none":
        return Model(base, 0, source, f"{base.vocabulary:,} rows, the base's own")
    asked = recipe.vocabulary.size
    new = ASSUMED_AUTO_SIZE if asked == "auto" else asked
    multiple = recipe.vocabulary.pad_to_multiple
    rows = -(-(base.vocabulary + new) // multiple) * multiple
    guess = " (size = auto: assumed)" if asked == "auto" else ""
    expected = f"{rows:,} rows at most: {base.vocabulary:,} and {new:,} new ones{guess}, padded"
    return Model(replace(base, vocabulary=rows), new, source, expected)


def base_shapes(recipe: Recipe, store: ArtifactStore) -> tuple[Shapes, str]:
    """Shapes of the base alone, and where they come from.

    Raises:
        BudgetError: nothing here knows them.
    """
    base = recipe.base
    if base.scratch:
        return scratch_shapes(base.scratch), "[base.scratch]"
    if base.path:
        directory = recipe.directory / base.path
        if (directory / "config.json").is_file():
            return read_shapes(directory), f"{base.path}/config.json"
    made = current_value(recipe, store, "base_model")
    if made:
        return read_shapes(made.path), "base_model as it was made"
    if base.hub in PUBLISHED:
        return PUBLISHED[base.hub], f"the published shapes of {base.hub}"
    if base.path:
        raise BudgetError(
            f"{recipe.directory / base.path}/config.json: not there, so nothing says what the"
            " base's shapes are. Fetch the model to that directory; config.json alone is enough"
            " for a plan"
        )
    raise BudgetError(
        f"base.hub: the shapes of {base.hub} are not known here. Materialise base_model (it"
        " fetches the model), or fetch it and name its directory as base.path; without either"
        f" these can be planned: {', '.join(PUBLISHED)}"
    )


def scratch_shapes(scratch: ScratchModel) -> Shapes:
    """Shapes of the Llama that the graph trains itself (nativize.model.scratch)."""
    heads = scratch.attention_heads
    return Shapes(
        vocabulary=scratch.vocabulary_size,
        hidden=scratch.hidden_size,
        intermediate=round(scratch.hidden_size * 8 / 3 / 32) * 32,
        layers=scratch.layers,
        heads=heads,
        key_value_heads=heads,
        head_size=scratch.hidden_size // heads,
        weight_bytes=4,
    )


def current_value(recipe: Recipe, store: ArtifactStore, name: str) -> Artifact | None:
    """This recipe's value of a stage, if what the stage read of the recipe is as it was."""
    try:
        made = store.current(name)
    except ArtifactError:
        return None
    read = made.record.payload["recipe"]
    try:
        return made if recipe_slice(recipe, tuple(read)) == read else None
    except (AttributeError, StopIteration):  # it read a section that recipes no longer have
        return None


def values_file(made: Artifact | None, name: str) -> Path | None:
    """A file of a value, if both are there."""
    path = made.path / name if made else None
    return path if path and path.is_file() else None
