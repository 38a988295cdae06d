"""Commands on the store: plan, why, gc."""

import os
import sys
from pathlib import Path

import click

from nativize.artifact import ArtifactStore
from nativize.artifact.collect import collect_garbage, find_garbage
from nativize.budget import budgets, disk_of, hardware_table, json_of, lines_of, model_of
from nativize.cli.output import as_json, show
from nativize.errors import ArtifactError, NativizeError
from nativize.forecast import Forecast, forecast
from nativize.home import nativize_home
from nativize.recipe import Recipe, load_recipe
from nativize.road import road

home = click.option(
    "--home",
    type=click.Path(path_type=Path),
    default=nativize_home,
    help="Where the store lies.  [default: $NATIVIZE_HOME or .nativize]",
)
recipe_option = click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    default=lambda: Path(os.environ.get("NATIVIZE_RECIPE", "recipes/demo.toml")),
    help="The recipe.  [default: $NATIVIZE_RECIPE or recipes/demo.toml]",
)


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path), required=False)
@click.option("--list-hardware", is_flag=True, help="Say which GPUs [trainer] hardware can name.")
@home
@as_json
def plan(recipe: Path | None, list_hardware: bool, home: Path, as_json: bool) -> None:
    """Say what walking RECIPE would do now, and what its trainings would need and cost.

    Ends with code 1 where a training does not fit the hardware that the recipe names.
    """
    if list_hardware:
        show(hardware_table())
        return
    if recipe is None:
        raise click.UsageError("name a RECIPE, or ask for --list-hardware")
    loaded = load_recipe(recipe)
    store = ArtifactStore(home / "store", loaded.name)
    stages = _stages(loaded, store)
    if not as_json:
        show([*_road(stages), ""])  # before a budget that may be refused
    model, trainings = model_of(loaded, store), budgets(loaded, store)
    disk = disk_of(loaded, store, trainings)
    if as_json:
        rows = stages if isinstance(stages, str) else [vars(future) for future in stages]
        show({"stages": rows, **json_of(model, trainings, disk)})
    else:
        show(lines_of(model, trainings, disk))
    if any(budget.fits is False for budget in trainings):
        sys.exit(1)


@click.command()
@click.argument("asset")
@recipe_option
@home
@as_json
def why(asset: str, recipe: Path, home: Path, as_json: bool) -> None:
    """Say why ASSET was last built, and whether and why it would be built now."""
    loaded = load_recipe(recipe)
    if asset not in road(loaded):
        raise ArtifactError(f"{asset}: no such asset. This recipe has: {', '.join(road(loaded))}")
    store = ArtifactStore(home / "store", loaded.name)
    now = {future.stage: future for future in forecast(loaded, store)}[asset]
    try:
        built: list[str] = store.current(asset).record.why
    except ArtifactError:
        built = []
    if as_json:
        show({"asset": asset, "built_because": built, "now": now.state, "because": now.why})
        return
    past = [f"  {line}" for line in built] or ["  never"]
    show([f"{asset} was built because:", *past, f"now: {now.state}", *(f"  {w}" for w in now.why)])


@click.command()
@click.option("--keep", default=3, show_default=True, help="Newest values of each stage to keep.")
@click.option("--yes", is_flag=True, help="Remove; without it, only say what would be removed.")
@home
@as_json
def gc(keep: int, yes: bool, home: Path, as_json: bool) -> None:
    """Remove values that no recipe points at, beyond the newest of each stage."""
    root = home / "store"
    garbage = find_garbage(root, keep=keep)
    size = collect_garbage(root, garbage) if yes else sum(item.bytes() for item in garbage)
    if as_json:
        rows = [{"path": str(item.path), "reason": item.reason} for item in garbage]
        show({"removed": yes, "bytes": size, "garbage": rows})
        return
    done = "removed" if yes else "would be removed (--yes does it)"
    show([*(f"{g.path}  {g.reason}" for g in garbage), f"{len(garbage)} {done}, {size:,} bytes"])


def _stages(recipe: Recipe, store: ArtifactStore) -> list[Forecast] | str:
    """Every stage's future; or why there is none to tell, such as a crawl that is not there yet."""
    try:
        return forecast(recipe, store)
    except NativizeError as error:
        return str(error)


def _road(stages: list[Forecast] | str) -> list[str]:
    if isinstance(stages, str):
        return [f"what is stale cannot be said: {' '.join(stages.split())}"]
    return [f"{f.stage:24} {f.state:8} {'; '.join(f.why[:3])}" for f in stages]
