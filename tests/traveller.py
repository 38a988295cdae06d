"""A tiny real road: sample crawl, recipe, store and Dagster instance, walked once per session."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterEvent, DagsterInstance, ExecuteInProcessResult
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from dagster_project.definitions import build_definitions, walk_of
from dagster_project.instance import ensure_instance
from nativize.artifact import ArtifactStore
from nativize.recipe import Recipe, load_recipe
from nativize.sample import write_sample

TINY = Path(__file__).with_name("e2e") / "tiny.toml"


@dataclass
class Traveller:
    """Someone with a recipe: edits it, adds files, walks, and sees what was computed."""

    home: Path
    instance: DagsterInstance
    first: dict[str, str] = field(default_factory=dict)

    @property
    def recipe_path(self) -> Path:
        return self.home / "recipe.toml"

    @property
    def sample(self) -> Path:
        return self.home / "sample"

    @property
    def recipe(self) -> Recipe:
        return load_recipe(self.recipe_path)

    @property
    def store(self) -> ArtifactStore:
        return walk_of(self.recipe).store

    def edit(self, old: str, new: str) -> None:
        text = self.recipe_path.read_text(encoding="utf-8")
        assert old in text
        self.recipe_path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def walk(self, job: str = "whole_road", force: tuple[str, ...] = ()) -> dict[str, str]:
        """What became of each asset: "built" or "reused"."""
        result = self.run(job, force)
        assert result.success
        return {
            event.asset_key.to_user_string(): "reused" if _reused(event) else "built"
            for event in result.get_asset_materialization_events()
        }

    def run(self, job: str = "whole_road", force: tuple[str, ...] = ()) -> ExecuteInProcessResult:
        quiet = {"console": {"config": {"log_level": "CRITICAL"}}}
        config = {name: {"config": {"force": True}} for name in force}
        definitions = build_definitions(self.recipe)
        return definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            run_config={"loggers": quiet, "ops": config},
        )

    def stale(self) -> set[str]:
        """The assets that Dagster's UI would show as not in sync."""
        graph = build_definitions(self.recipe).resolve_asset_graph()
        resolver = CachingStaleStatusResolver(
            self.instance, graph, LoadingContextForTest(self.instance)
        )
        keys: set[AssetKey] = graph.materializable_asset_keys
        return {
            key.to_user_string() for key in keys if resolver.get_status(key) != StaleStatus.FRESH
        }


def built(outcome: dict[str, str]) -> set[str]:
    """The assets that were computed, not reused."""
    return {name for name, how in outcome.items() if how == "built"}


def _reused(event: DagsterEvent) -> bool:
    metadata = event.materialization.metadata
    return bool(metadata["reused"].value)


@pytest.fixture(scope="session")
def _walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traveller]:
    home = tmp_path_factory.mktemp("road")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NATIVIZE_HOME", str(home / "nativize"))
        patch.delenv("DAGSTER_HOME", raising=False)
        ensure_instance()
        write_sample(home / "sample", scale=0.05)
        shutil.copyfile(TINY, home / "recipe.toml")
        with DagsterInstance.get() as instance:
            traveller = Traveller(home, instance)
            traveller.first = traveller.walk()
            yield traveller


@pytest.fixture
def traveller(_walked: Traveller) -> Iterator[Traveller]:
    """The walked road; whatever a test changes in recipe or crawl is put back afterwards."""
    before = sorted(_walked.sample.rglob("*"))
    _walked.walk()
    yield _walked
    shutil.copyfile(TINY, _walked.recipe_path)
    for path in set(_walked.sample.rglob("*")) - set(before):
        path.unlink()
