"""Commands on the store: plan, why, gc."""

import os
from pathlib import Path

import click

from nativize.artifact import ArtifactStore
from nativize.artifact.collect import collect_garbage, find_garbage
from nativize.cli.output import as_json, show
from nativize.errors import ArtifactError
from nativize.forecast import forecast
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
@click.argument("recipe", type=click.Path(path_type=Path))
@home
@as_json
def plan(recipe: Path, home: Path, as_json: bool) -> None:
    """Say what walking RECIPE would do now: what is current, what is built, and why."""
    loaded = load_recipe(recipe)
    futures = forecast(loaded, ArtifactStore(home / "store", loaded.name))
    if as_json:
        show([vars(future) for future in futures])
        return
    lines = [f"{f.stage:24} {f.state:8} {'; '.join(f.why[:3])}" for f in futures]
    show([*lines, "", *_trainings(loaded)])


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


def _trainings(recipe: Recipe) -> list[str]:
    lines = ["training            steps  tokens a step          tokens"]
    for stage in recipe.stage:
        tokens = stage.steps * stage.batch_tokens
        lines.append(f"{stage.name:18}{stage.steps:7,}{stage.batch_tokens:15,}{tokens:16,}")
    return lines
