"""What a person at a terminal sees of a walk: a line an event, and the figures at the end."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
from dagster import ExecuteInProcessResult

from nativize.artifact import Artifact, ArtifactStore
from nativize.errors import ArtifactError, NativizeError
from nativize.export import generate
from nativize.recipe import Recipe
from nativize.train.noise import silence_libraries
from resources.home import store_root

SHOWN_TOKENS = 40


@contextmanager
def announce() -> Iterator[None]:
    """The library's own log on the terminal: what begins, how far it is, what it became."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("nativize")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    silence_libraries()
    try:
        yield
    finally:
        logger.removeHandler(handler)


def print_summary(recipe: Recipe) -> None:
    """What came out of a recipe's road, as far as it was walked."""
    store = ArtifactStore(store_root(), recipe.name)
    for section in (_documents, _vocabulary, _models, _export):
        try:
            section(recipe, store)
        except ArtifactError as error:
            click.echo(f"  not made: {error}")


def print_failures(result: ExecuteInProcessResult) -> None:
    """Why each failed asset failed: our own errors as one message, others with their stack."""
    for step in sorted(result.get_failed_step_keys()):
        failure = result.failure_data_for_node(step)
        error = failure.error.cause if failure and failure.error else None
        if error is None:
            continue
        ours = any(error.cls_name == kind.__name__ for kind in NativizeError.__subclasses__())
        message = error.message if ours else error.to_string()
        click.echo(f"\nFAILED {step}: {message.strip()}", err=True)


def _documents(recipe: Recipe, store: ArtifactStore) -> None:
    click.echo("\ndocuments             entered    kept  dropped or quarantined, by reason")
    for name in ("raw_crawl", "filtered_shards", "scored_shards", "deduplicated_corpus"):
        accounts = store.current(name).report.accounts
        if accounts is None:
            continue
        reasons = {reason: count.documents for reason, count in accounts.dropped.items()}
        if accounts.quarantined.documents:
            reasons["quarantined"] = accounts.quarantined.documents
        shown = ", ".join(f"{reason} {count}" for reason, count in reasons.items()) or "–"
        entered, kept = accounts.entered.documents, accounts.kept.documents
        click.echo(f"  {name:20}{entered:7,}{kept:8,}  {shown}")


def _vocabulary(recipe: Recipe, store: ArtifactStore) -> None:
    merged = store.current("merged_vocabulary")
    click.echo("\ntokens per character   before   after")
    for side in ("new", "old"):
        before, after = _pair(merged, f"{side}_tokens_per_character")
        click.echo(f"  {side} language         {before:7.3f} {after:7.3f}")


def _models(recipe: Recipe, store: ArtifactStore) -> None:
    metrics = store.current("evaluation_report").metrics
    click.echo("\nbits per byte        new language  old language")
    for name in ("base_model", "extended_model", "pretrained_model", "sft_model"):
        if f"bits_per_byte_new_{name}" in metrics:
            new, old = (metrics[f"bits_per_byte_{side}_{name}"] for side in ("new", "old"))
            click.echo(f"  {name:20}{new:11.3f}{old:14.3f}")


def _export(recipe: Recipe, store: ArtifactStore) -> None:
    files = sorted(store.current("gguf_export").path.glob("*.gguf"))
    click.echo("\nllama.cpp continues")
    for prompt in recipe.evaluation.prompts:
        click.echo(f"  {prompt} → {generate(files[0], prompt, tokens=SHOWN_TOKENS).strip()}")
    click.echo("\nGGUF")
    for path in files:
        click.echo(f"  {os.path.relpath(path)}  {path.stat().st_size / 1e6:.1f} MB")
    click.echo("\nsee the graph: make ui   (http://127.0.0.1:3000)")


def _pair(artifact: Artifact, name: str) -> tuple[float, float]:
    return artifact.metrics[f"{name}_before"], artifact.metrics[f"{name}_after"]
