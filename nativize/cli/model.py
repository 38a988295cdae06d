"""Commands on models: train, merge-adapter, export-gguf, evaluate."""

from pathlib import Path

import click

from nativize.cli.output import as_json, make, output
from nativize.cli.store import recipe_option
from nativize.errors import RecipeError
from nativize.recipe import Evaluation, Export, Recipe, TrainStage, load_recipe

directory = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("stage")
@recipe_option
@click.option("--model", type=directory, required=True, help="The extended model.")
@click.option("--tokens", type=directory, required=True, help="Token shards.")
@click.option("--after", type=directory, multiple=True, help="Earlier trainings, in order.")
@output
@as_json
def train(
    stage: str,
    recipe: Path,
    model: Path,
    tokens: Path,
    after: tuple[Path, ...],
    output: Path,
    as_json: bool,
) -> None:
    """Run one training STAGE of a recipe; killed and started again, it resumes."""
    from nativize.model.training import train_stage
    from nativize.train import run_here

    loaded = load_recipe(recipe)
    make(
        lambda place: train_stage(
            model,
            after,
            tokens,
            place,
            stage=_stage_of(loaded, stage),
            trainer=loaded.trainer,
            launch=run_here,
        ),
        output,
        as_json,
    )


@click.command()
@click.argument("checkpoints", nargs=-1, required=True, type=directory)
@click.option("--model", type=directory, required=True, help="The model they were trained on.")
@output
@as_json
def merge_adapter(checkpoints: tuple[Path, ...], model: Path, output: Path, as_json: bool) -> None:
    """Merge CHECKPOINTS of trainings into a plain model and check that its logits are equal."""
    from nativize.model.merge import merge_checkpoints

    make(lambda place: merge_checkpoints(model, checkpoints, place), output, as_json)


@click.command()
@click.argument("model", type=directory)
@click.option("--corpus", type=directory, required=True, help="The new language's corpus.")
@click.option("--replay", type=directory, required=True, help="The old language's corpus.")
@click.option("--quantisation", multiple=True, default=["f16"], show_default=True)
@click.option("--name", default="model", show_default=True, help="Stem of the files.")
@output
@as_json
def export_gguf(
    model: Path,
    corpus: Path,
    replay: Path,
    quantisation: tuple[str, ...],
    name: str,
    output: Path,
    as_json: bool,
) -> None:
    """Write MODEL as GGUF, load it in llama.cpp, and check that it is the same model."""
    from nativize.export import export_gguf as export

    options = Export.model_validate({"quantisations": quantisation})
    make(
        lambda place: export(model, corpus, replay, place, name=name, export=options),
        output,
        as_json,
    )


@click.command()
@click.argument("models", nargs=-1, required=True, type=directory)
@click.option("--corpus", type=directory, required=True, help="The new language's corpus.")
@click.option("--replay", type=directory, required=True, help="The old language's corpus.")
@click.option("--prompt", multiple=True, help="A beginning that each model continues.")
@click.option("--maximum-tokens", default=200_000, show_default=True)
@output
@as_json
def evaluate(
    models: tuple[Path, ...],
    corpus: Path,
    replay: Path,
    prompt: tuple[str, ...],
    maximum_tokens: int,
    output: Path,
    as_json: bool,
) -> None:
    """Measure MODELS on the held-out text of both languages."""
    from nativize.evaluate.stage import evaluate_models

    options = Evaluation(maximum_tokens=maximum_tokens, prompts=prompt)
    named = {path.name: path for path in models}
    make(
        lambda place: evaluate_models(named, corpus, replay, place, evaluation=options),
        output,
        as_json,
    )


def _stage_of(recipe: Recipe, name: str) -> TrainStage:
    for stage in recipe.stage:
        if stage.name == name:
            return stage
    known = ", ".join(stage.name for stage in recipe.stage)
    raise RecipeError(f"recipe '{recipe.name}' has no stage '{name}'; it has: {known}")
