"""The walk from a shell: `python -m dagster_project demo | walk | ui | summary`."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import click
from dagster import AssetKey, AssetSelection, DagsterInstance, Definitions

from dagster_project.console import announce, print_failures, print_summary
from dagster_project.definitions import build_definitions
from dagster_project.instance import ensure_instance, living_walk
from nativize.errors import NativizeError
from nativize.sample import write_sample
from resources.home import PROJECT, current_recipe, recipe_path

README_BEGIN, README_END = "<!-- demo: written by `make readme` -->", "<!-- /demo -->"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Walk a recipe's road without opening the UI."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")


@main.command()
def demo() -> None:
    """Compose the sample crawl, walk the demo recipe, say what came out."""
    os.environ["NATIVIZE_RECIPE"] = str(PROJECT / "recipes" / "demo.toml")
    sample = PROJECT / ".nativize" / "sample"  # where the demo's recipe looks for it
    if not (sample / "truth.jsonl").exists():
        click.echo(f"composing a sample crawl in {sample}")
        write_sample(sample)
    _walk(None)


@main.command()
@click.option("--recipe", type=click.Path(path_type=Path), help="Default: $NATIVIZE_RECIPE.")
@click.option("--select", help="Only these assets, in Dagster's selection syntax.")
def walk(recipe: Path | None, select: str | None) -> None:
    """Materialise a recipe's whole road, or a part of it."""
    if recipe:
        os.environ["NATIVIZE_RECIPE"] = str(recipe.resolve())
    _walk(select)


@main.command()
@click.option("--readme", is_flag=True, help="Write it into the README instead.")
def summary(readme: bool) -> None:
    """Say what came out of the recipe's last walk."""
    if not readme:
        print_summary(current_recipe())
        return
    command = [sys.executable, "-m", "dagster_project", "summary"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = PROJECT / "README.md"
    head, _, rest = page.read_text(encoding="utf-8").partition(README_BEGIN)
    tail = rest.partition(README_END)[2]
    figures = told.partition("\nGGUF")[0].strip()  # file names change with every recipe
    block = f"{README_BEGIN}\n```\n{figures}\n```\n{README_END}"
    page.write_text(head + block + tail, encoding="utf-8")


@main.command()
@click.option("--port", default=3000, show_default=True)
def ui(port: int) -> None:
    """Open the Dagster UI on this machine only."""
    ensure_instance()
    binary = Path(sys.executable).with_name("dagster")
    arguments = ["dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    os.chdir(PROJECT)
    os.execv(binary, [str(binary), *arguments])


def _selected(definitions: Definitions, select: str | None) -> list[AssetKey] | None:
    """The assets that a selection such as ``lora_checkpoints+`` names; None means all."""
    if select is None:
        return None
    chosen = AssetSelection.from_string(select).resolve(definitions.resolve_asset_graph())
    if not chosen:
        raise click.ClickException(f"no asset of this recipe matches {select!r}")
    return sorted(chosen)


def _walk(select: str | None) -> None:
    try:
        recipe = current_recipe()
        definitions = build_definitions(recipe)
    except NativizeError as error:
        raise click.ClickException(str(error)) from error
    ensure_instance()
    started = time.monotonic()
    click.echo(f"walking {recipe_path()}")
    job = definitions.resolve_job_def("whole_road")
    with DagsterInstance.get() as instance, announce(), living_walk(instance) as tags:
        result = job.execute_in_process(
            instance=instance,
            tags=tags,
            raise_on_error=False,
            asset_selection=_selected(definitions, select),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    click.echo(f"{time.monotonic() - started:.0f} s")
    print_summary(recipe)
    if not result.success:
        print_failures(result)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
