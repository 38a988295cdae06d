"""Group vocabulary: the new pieces, the merged vocabulary, the token shards."""

from pathlib import Path

from dagster import AssetsDefinition

from assets.from_stage import from_stage
from nativize.artifact import Report
from nativize.recipe import Recipe
from nativize.tokens import TOKENISE, tokenise
from nativize.vocabulary import MERGE, TRAIN_TOKENIZER, merge_vocabulary, train_tokenizer
from resources.walk import Stretch


def tokenizer(stretch: Stretch, corpus: Path) -> Report:
    """The new language's own pieces (sentencepiece); fitted once."""
    return train_tokenizer(corpus, stretch.place, vocabulary=stretch.recipe.vocabulary)


def merged_vocabulary(
    stretch: Stretch, base: Path, pieces: Path, corpus: Path, replay: Path
) -> Report:
    """Base and new pieces; the only owner of the vocabulary size."""
    vocabulary = stretch.recipe.vocabulary
    return merge_vocabulary(base, pieces, corpus, replay, stretch.place, vocabulary=vocabulary)


def token_shards(stretch: Stretch, vocabulary: Path, corpus: Path, replay: Path) -> Report:
    """The mixture's documents as packed token ids."""
    mixture = stretch.recipe.mixture
    return tokenise(
        vocabulary, corpus, replay, stretch.place, mixture=mixture, engine=stretch.engine
    )


def vocabulary_assets(recipe: Recipe) -> list[AssetsDefinition]:
    """The vocabulary group of a recipe."""
    return [
        from_stage(recipe, TRAIN_TOKENIZER, tokenizer, kinds={"sentencepiece"}),
        from_stage(recipe, MERGE, merged_vocabulary, kinds={"sentencepiece"}),
        from_stage(recipe, TOKENISE, token_shards, kinds={"numpy"}),
    ]
