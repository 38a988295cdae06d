"""What a walk would do now: which stages are current, which would be built, and why."""

from dataclasses import dataclass

from nativize.artifact import ArtifactStore, Inputs, Stage
from nativize.artifact.fingerprint import difference
from nativize.errors import ArtifactError
from nativize.recipe import Recipe, recipe_slice
from nativize.road import outside, road


@dataclass(frozen=True)
class Forecast:
    """One stage's future.

    Attributes:
        stage: its name.
        state: "current", "stored" (made before, would be taken up again), "build", or "follows"
            (an input comes first; whether its content changes decides).
        why: reasons, the difference of the fingerprint's fields for "build".
    """

    stage: str
    state: str
    why: tuple[str, ...]


def forecast(recipe: Recipe, store: ArtifactStore) -> list[Forecast]:
    """The future of every stage of a recipe, in the order of the road; computes nothing."""
    futures: dict[str, Forecast] = {}
    for name, stage in road(recipe).items():
        waits = [i for i in stage.inputs if futures[i].state in ("build", "follows")]
        if waits:
            futures[name] = Forecast(name, "follows", tuple(waits))
        else:
            futures[name] = _future(recipe, store, stage)
    return list(futures.values())


def _future(recipe: Recipe, store: ArtifactStore, stage: Stage) -> Forecast:
    inputs = Inputs(
        tuple(store.current(name) for name in stage.inputs), outside(recipe, stage.name)
    )
    read = recipe_slice(recipe, stage.reads)
    refit = recipe.section(stage.refit) if stage.refit else "always"
    found = store.find(stage, read, inputs, refit=refit)
    if found is None:
        payload = store.payload(stage, read, inputs)
        lines = difference(store.previous_payload(stage.name), payload)
        return Forecast(stage.name, "build", tuple(lines))
    try:
        is_current = store.current(stage.name).path == found.path
    except ArtifactError:
        is_current = False
    return Forecast(stage.name, "current" if is_current else "stored", found.why)
