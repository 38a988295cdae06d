"""One walk along the road: the recipe, its store and its engine, as assets borrow them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dagster import AssetExecutionContext

from nativize.artifact import Artifact, ArtifactStore, Inputs, Report, Stage, Workplace
from nativize.engine import CorpusEngine
from nativize.recipe import Recipe, recipe_slice
from nativize.road import outside
from resources.trainer import PipesTrainer


@dataclass(frozen=True)
class Stretch:
    """What a stage's function may use while it makes one value."""

    recipe: Recipe
    engine: CorpusEngine
    launch: Callable[[Path], None]
    place: Workplace
    store: ArtifactStore


Body = Callable[..., Report]
"""``body(stretch, *paths of the stage's inputs)``: one call into `nativize`."""


@dataclass(frozen=True)
class Walk:
    """The recipe being walked, where its values live, and what does the work."""

    recipe: Recipe
    store: ArtifactStore
    engine: CorpusEngine
    trainer: PipesTrainer

    def inputs(self, stage: Stage) -> Inputs:
        """The current values of a stage's inputs, with digests of what lies outside the store."""
        artifacts = tuple(self.store.current(name) for name in stage.inputs)
        return Inputs(artifacts, outside(self.recipe, stage.name))

    def materialise(
        self,
        context: AssetExecutionContext,
        stage: Stage,
        body: Body,
        *,
        force: bool,
    ) -> tuple[Artifact, Sequence[Artifact]]:
        """The stage's value, reused or built now, and the inputs it belongs to."""
        inputs = self.inputs(stage)
        paths = [artifact.path for artifact in inputs.artifacts]

        def build(place: Workplace) -> Report:
            launch = self.trainer.launcher(context)
            return body(Stretch(self.recipe, self.engine, launch, place, self.store), *paths)

        artifact = self.store.materialise(
            stage,
            recipe_slice(self.recipe, stage.reads),
            inputs,
            build,
            refit=self.recipe.section(stage.refit) if stage.refit else "always",
            force=force,
        )
        return artifact, inputs.artifacts
