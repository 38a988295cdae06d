"""Commands on vocabularies: train-tokenizer, merge-vocabulary, tokenize."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from nativize.artifact import Workplace, sha256_of, standalone
from nativize.cli.output import as_json, make, output, show
from nativize.engine import LocalEngine
from nativize.errors import VocabularyError
from nativize.recipe import Mixture, Vocabulary

if TYPE_CHECKING:
    from nativize.cli.merge_inputs import Given

directory = click.Path(exists=True, file_okay=False, path_type=Path)
somewhere = click.Path(exists=True, path_type=Path)

DROPPED = "offered_pieces_"
REASONS = {
    "known": "in the base already",
    "of_old_alphabet": "old characters only",
    "unreachable": "no text makes them",
}
GATES = {
    "old_lines_changed": "lines of the old language that changed their ids",
    "round_trip_failures": "lines that do not come back as they were",
    "own_disagreements": "lines that sentencepiece and Hugging Face cut differently",
    "unreachable": "new pieces that no text can produce",
}


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
@click.option(
    "--base",
    type=somewhere,
    required=True,
    help="The base's tokenizer: its directory, a tokenizer.model, or a tokenizer.json.",
)
@click.option(
    "--pieces",
    type=somewhere,
    help="The new language's pieces: a sentencepiece .model file, or the directory of"
    " tokenizer.model that train-tokenizer made. Not needed with --mode none.",
)
@click.option(
    "--mode",
    type=click.Choice(["rank", "classic", "none"]),
    default="rank",
    show_default=True,
    help="rank: old text keeps every id; classic: score 0 in file order, as Chinese-LLaMA;"
    " none: keep the base's tokenizer.",
)
@click.option("--corpus", type=directory, help="The new language's corpus, for the gates.")
@click.option("--replay", type=directory, help="The old language's corpus, for the gates.")
@click.option(
    "--pad-to-multiple",
    type=click.IntRange(min=1),
    help="Fill up with pieces that no text produces.  [default: 64; 1 with --mode classic]",
)
@click.option(
    "--pad-token",
    help="One more piece, with which batches are filled, as [PAD] in Chinese-Alpaca; only with"
    " --mode classic.",
)
@output
@as_json
def merge_vocabulary(
    base: Path,
    pieces: Path | None,
    mode: str,
    corpus: Path | None,
    replay: Path | None,
    pad_to_multiple: int | None,
    pad_token: str | None,
    output: Path,
    as_json: bool,
) -> None:
    """Graft a new language's pieces onto the tokenizer of a base model.

    Ids of the base never change; the new pieces follow them. Written are tokenizer.model,
    tokenizer.json and tokenizer_config.json, which transformers and llama.cpp read, and
    vocabulary.json with the sizes that a model must have.

    Gates are run first: old text keeps its ids, every text comes back as it was, every new piece
    can be produced, sentencepiece and Hugging Face cut alike. Where one breaks, mode rank writes
    nothing and mode classic tells how often. They read samples of --corpus and --replay; without
    these a small probe text takes their place.

    A byte-level base (GPT-2, Llama 3, Qwen) has no tokenizer.model; as many pieces as --pieces has
    are learned from --corpus on top of its own.

    \b
    Examples:
      nativize merge-vocabulary --base Llama-2-7b --pieces pieces \\
          --corpus corpus --replay english -o vocabulary
      nativize merge-vocabulary --base llama/tokenizer.model \\
          --pieces chinese_sp.model --mode classic -o chinese-llama
    """
    from nativize.cli.merge_inputs import as_given

    if pieces is None and mode != "none":
        raise click.UsageError(f"--mode {mode} needs --pieces: what is to be added to the base")
    if pad_token is not None and mode != "classic":
        raise click.UsageError("--pad-token is for --mode classic; others keep the base's own")
    multiple = pad_to_multiple or (1 if mode == "classic" else 64)
    options = Vocabulary.model_validate({"mode": mode, "pad_to_multiple": multiple})
    with standalone(output) as place:
        given = as_given(base, None if mode == "none" else pieces, pad_token, place.scratch)
        if mode == "rank" and corpus is None and not given.size:
            raise click.UsageError(
                f"{base} is byte-level: its pieces are learned from the new language, as many as"
                " --pieces has; name its --corpus"
            )
        try:
            merged = _merged(given, corpus, replay, place, options)
        except VocabularyError as error:
            raise VocabularyError(str(error).replace(str(given.base), str(base))) from error
    if as_json:
        show({"output": str(output), "metrics": merged})
    else:
        show(_summary(merged, len(given.offered)))
        click.echo(f"written: {output}", err=True)


@click.command()
@click.argument("vocabulary", type=directory)
@click.option("--corpus", type=directory, required=True, help="The new language's corpus.")
@click.option("--replay", type=directory, required=True, help="The old language's corpus.")
@click.option("--replay-share", default=0.1, show_default=True, help="Of all tokens.")
@click.option("--instruction", type=directory, help="Dialogues, as instruction_data makes them.")
@click.option("--instruction-share", default=0.0, show_default=True, help="Of all tokens.")
@click.option("--sequence-length", default=2_048, show_default=True)
@click.option(
    "--packing",
    type=click.Choice(["documents", "concatenated"]),
    default="documents",
    show_default=True,
    help="Whether attention stops at a document's ends.",
)
@click.option("--bos/--no-bos", default=True, help="BOS before each document.")
@click.option("--eos/--no-eos", default=True, help="EOS after each document.")
@click.option(
    "--quality",
    type=(float, float, float),
    default=(1.0, 1.0, 1.0),
    show_default=True,
    help="How often text of head, middle and tail is seen, beside its own share.",
)
@click.option("--maximum-epochs", default=4.0, show_default=True, help="Of any source.")
@click.option("--seed", default=1, show_default=True, help="Of the order.")
@click.option("--workers", default=0, help="Processes; 0: one per core.")
@output
@as_json
def tokenize(
    vocabulary: Path,
    corpus: Path,
    replay: Path,
    instruction: Path | None,
    quality: tuple[float, float, float],
    workers: int,
    output: Path,
    as_json: bool,
    **settings: Any,
) -> None:
    """Turn two corpora, and dialogues, into token shards with a merged VOCABULARY."""
    from nativize.tokens import tokenise

    weights = dict(zip(("head", "middle", "tail"), quality, strict=True))
    try:
        mixture = Mixture.model_validate({**settings, "quality": weights})
    except ValidationError as error:
        raise click.UsageError(
            "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
        ) from error
    engine = LocalEngine(workers)
    make(
        lambda place: tokenise(
            vocabulary,
            corpus,
            replay,
            place,
            mixture=mixture,
            engine=engine,
            instruction=instruction,
        ),
        output,
        as_json,
    )


def _merged(
    given: "Given", corpus: Path | None, replay: Path | None, place: Workplace, options: Vocabulary
) -> dict[str, Any]:
    """The stage's metrics, the digests of what it wrote, and what text the gates read."""
    from nativize.cli.merge_inputs import probe_corpora
    from nativize.vocabulary import merge_vocabulary as merge

    given_both = (corpus, replay) if corpus and replay else None
    new, old = given_both or probe_corpora(given, place.scratch)
    report = merge(
        given.base, given.pieces, corpus or new, replay or old, place, vocabulary=options
    )
    metrics = dict(report.metrics)
    # of probe text they say nothing about a language
    for language, text in (("new", corpus), ("old", replay)):
        for when in ("before", "after"):
            if text is None:
                metrics.pop(f"{language}_tokens_per_character_{when}", None)
    missing = [name for name, text in (("new", corpus), ("old", replay)) if text is None]
    files = [path for path in sorted(place.out.glob("tokenizer.*")) if path.is_file()]
    return {
        **metrics,
        "added_tokens": metrics["base_size"] - given.size if given.size else 0,
        "learned_from_corpus": bool(given.offered) and not given.size,
        "gates_on_probe_text_for": missing,
        "sha256": {path.name: sha256_of(path) for path in files},
    }


def _summary(merged: Mapping[str, Any], offered: int) -> list[str]:
    """Sizes, pieces, gates and digests as lines for a person."""
    added = merged["added_tokens"]
    beside = f", {added:,} of them in tokenizer.json alone" if added else ""
    lines = [_line("base", f"{merged['base_size']:,} ids{beside}")]
    if offered:
        told = "pieces wanted" if merged["learned_from_corpus"] else "pieces offered"
        lines.append(_line(told, f"{offered:,}"))
        lines += [
            _line(f"  dropped: {reason}", f"{n:,}") for reason, n in _dropped(merged, offered)
        ]
    lines.append(_line("pieces added", f"{merged['new_pieces']:,}"))
    lines.append(_line("size", f"{merged['size']:,} ids, padded to {merged['padded_size']:,}"))
    for language in ("new", "old"):
        before, after = (
            merged.get(f"{language}_tokens_per_character_{when}") for when in ("before", "after")
        )
        if before is not None and after is not None:
            lines.append(_line(f"{language}: tokens per character", f"{before:.4f} → {after:.4f}"))
    gates = [f"  {merged[name]:,} {what}" for name, what in GATES.items() if name in merged]
    if gates:
        lines += [f"gates, {_text_of_gates(merged)}:", *gates]
    return lines + [_line(name, f"SHA-256 {digest}") for name, digest in merged["sha256"].items()]


def _dropped(merged: Mapping[str, Any], offered: int) -> Iterator[tuple[str, int]]:
    """Why pieces were not added; a mode that does not say drops what the base has."""
    reasons = {
        name.removeprefix(DROPPED): count
        for name, count in merged.items()
        if name.startswith(DROPPED)
    }
    for reason, count in (reasons or {"known": offered - merged["new_pieces"]}).items():
        yield REASONS.get(reason, reason.replace("_", " ")), count


def _text_of_gates(merged: Mapping[str, Any]) -> str:
    lines = f"{merged['lines']:,} lines" if "lines" in merged else "lines"
    missing = merged["gates_on_probe_text_for"]
    if not missing:
        return f"{lines} of both corpora"
    options = {"new": "--corpus", "old": "--replay"}
    given = " and ".join(options[name] for name in missing)
    return f"{lines}, on probe text only for want of {given}"


def _line(name: str, value: str) -> str:
    return f"{name:32} {value}"
