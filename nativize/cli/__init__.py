"""The command `nativize`: every stage of the road on files and directories, without the graph."""

import click

from nativize import __version__
from nativize.cli.corpus import clean, dedup, score, write_corpus
from nativize.cli.model import evaluate, export_gguf, merge_adapter, train
from nativize.cli.output import Commands
from nativize.cli.store import gc, plan, why
from nativize.cli.vocabulary import merge_vocabulary, tokenize, train_tokenizer


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Make an open language model native in a language it barely speaks.

    Each command is one stage of the road on files and directories. The whole road, with only
    what is stale computed again, is the Dagster graph: see the README.
    """


for command in (
    plan,
    clean,
    score,
    dedup,
    write_corpus,
    train_tokenizer,
    merge_vocabulary,
    tokenize,
    train,
    merge_adapter,
    export_gguf,
    evaluate,
    why,
    gc,
):
    main.add_command(command)

__all__ = ["main"]
