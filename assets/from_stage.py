"""A stage of the road as a Dagster asset: the guard, the versions, what a person sees.

The store decides whether work is needed; Dagster's code version and data version repeat its
facts, so that the status in the UI agrees. An output is always given, also for a reused value:
skipping it would skip everything downstream.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from dagster import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetsDefinition,
    Config,
    DataVersion,
    MaterializeResult,
    ResourceParam,
    asset,
)
from pydantic import Field

from assets.display import metadata_of
from nativize.artifact import Accounts, Artifact, Stage
from nativize.artifact.fingerprint import fingerprint
from nativize.budget import planned
from nativize.crawl import count_documents
from nativize.errors import BudgetError
from nativize.recipe import Recipe, recipe_slice
from resources.walk import Body, Walk

BOOKS_BALANCE = "books_balance"
GPU_POOL = "gpu"


class Rebuild(Config):
    """Run configuration of every asset."""

    force: bool = Field(
        False, description="Build again although a value with this identity exists."
    )


def code_version(recipe: Recipe, stage: Stage) -> str:
    """The stage's version and the recipe slice it reads, as Dagster's code version."""
    return f"{stage.version}-{fingerprint(recipe_slice(recipe, stage.reads))[:12]}"


def from_stage(
    recipe: Recipe,
    stage: Stage,
    body: Body,
    *,
    kinds: set[str],
    extra_dependencies: tuple[str, ...] = (),
    counted: Callable[[Path], int] | None = None,
    trains: bool = False,
) -> AssetsDefinition:
    """The asset of a stage.

    Args:
        recipe: read when the code location loads; the code version freezes here.
        stage: name, group, inputs and identity.
        body: makes the value; its docstring is what the UI shows.
        kinds: tags with icons in the UI.
        extra_dependencies: observed sources that stand before it in the graph.
        counted: documents pass through, so a blocking check compares the books with what this
            counts in the value's directory.
        trains: takes the GPU pool, which keeps two trainings apart.
    """
    checks = [AssetCheckSpec(BOOKS_BALANCE, asset=stage.name, blocking=True)] if counted else []

    @asset(
        name=stage.name,
        group_name=stage.group,
        deps=[*extra_dependencies, *stage.inputs],
        code_version=code_version(recipe, stage),
        description=body.__doc__,
        kinds=kinds,
        check_specs=checks,
        pool=GPU_POOL if trains else None,
    )
    def made(
        context: AssetExecutionContext, config: Rebuild, walk: ResourceParam[Walk]
    ) -> MaterializeResult:
        artifact, inputs = walk.materialise(context, stage, body, force=config.force)
        return MaterializeResult(
            metadata={**metadata_of(artifact), **(_planned(walk, stage) if trains else {})},
            data_version=DataVersion(artifact.content),
            check_results=[books(artifact, inputs, counted)] if counted else [],
        )

    return made


def _planned(walk: Walk, stage: Stage) -> dict[str, object]:
    """What was reckoned before a training, to be read beside what was measured."""
    try:
        return dict(planned(walk.recipe, walk.store, stage.name))
    except BudgetError as error:
        return {"plan": str(error)}


def books(
    artifact: Artifact,
    inputs: Sequence[Artifact],
    counted: Callable[[Path], int] = count_documents,
) -> AssetCheckResult:
    """Whether what came in is what the stage before kept, and what was kept lies on disk."""
    accounts = artifact.report.accounts or Accounts()
    entered, kept = accounts.entered.documents, accounts.kept.documents
    before = next((v.report.accounts for v in inputs if v.report.accounts), None)
    sent = before.kept.documents if before else entered
    on_disk = counted(artifact.path)
    return AssetCheckResult(
        check_name=BOOKS_BALANCE,
        passed=sent == entered and kept == on_disk,
        metadata={"kept before": sent, "entered": entered, "kept": kept, "on disk": on_disk},
    )
