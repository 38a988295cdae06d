"""Commands on vocabularies: train-tokenizer, merge-vocabulary, tokenize."""

from pathlib import Path

import click

from nativize.cli.output import as_json, make, output
from nativize.engine import LocalEngine
from nativize.recipe import Mixture, Vocabulary

directory = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("corpus", type=directory)
@click.option("--size", default=8_000, show_default=True, help="Pieces.")
@click.option("--kind", type=click.Choice(["bpe", "unigram"]), default="bpe", show_default=True)
@output
@as_json
def train_tokenizer(corpus: Path, size: int, kind: str, output: Path, as_json: bool) -> None:
    """Train the new language's pieces on a deduplicated CORPUS (a directory with shards/)."""
    from nativize.vocabulary import train_tokenizer as train

    options = Vocabulary.model_validate({"size": size, "kind": kind})
    make(lambda place: train(corpus, place, vocabulary=options), output, as_json)


@click.command()
@click.option("--base", type=directory, required=True, help="The base model's directory.")
@click.option("--pieces", type=directory, required=True, help="Directory of tokenizer.model.")
@click.option("--corpus", type=directory, required=True, help="The new language's corpus.")
@click.option("--replay", type=directory, required=True, help="The old language's corpus.")
@click.option(
    "--mode",
    type=click.Choice(["rank", "classic", "none"]),
    default="rank",
    show_default=True,
    help="rank: hurts no old text; classic: as Chinese-LLaMA; none: keep the base's.",
)
@click.option("--pad-to-multiple", default=64, show_default=True)
@output
@as_json
def merge_vocabulary(
    base: Path,
    pieces: Path,
    corpus: Path,
    replay: Path,
    mode: str,
    pad_to_multiple: int,
    output: Path,
    as_json: bool,
) -> None:
    """Graft new pieces onto a base's tokenizer; refuses where old text would change."""
    from nativize.vocabulary import merge_vocabulary as merge

    options = Vocabulary.model_validate({"mode": mode, "pad_to_multiple": pad_to_multiple})
    make(
        lambda place: merge(base, pieces, corpus, replay, place, vocabulary=options),
        output,
        as_json,
    )


@click.command()
@click.argument("vocabulary", type=directory)
@click.option("--corpus", type=directory, required=True, help="The new language's corpus.")
@click.option("--replay", type=directory, required=True, help="The old language's corpus.")
@click.option("--replay-share", default=0.1, show_default=True, help="Of all tokens.")
@click.option("--sequence-length", default=2_048, show_default=True)
@click.option("--workers", default=0, help="Processes; 0: one per core.")
@output
@as_json
def tokenize(
    vocabulary: Path,
    corpus: Path,
    replay: Path,
    replay_share: float,
    sequence_length: int,
    workers: int,
    output: Path,
    as_json: bool,
) -> None:
    """Turn two corpora into token shards with a merged VOCABULARY."""
    from nativize.tokens import tokenise

    mixture = Mixture(sequence_length=sequence_length, replay_share=replay_share)
    engine = LocalEngine(workers)
    make(
        lambda place: tokenise(vocabulary, corpus, replay, place, mixture=mixture, engine=engine),
        output,
        as_json,
    )
