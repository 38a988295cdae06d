"""Group vocabulary: sizes to choose from, new pieces, merged vocabulary, report, token shards."""

from pathlib import Path

from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetsDefinition,
    ResourceParam,
    asset_check,
)

from assets.from_stage import from_stage
from nativize.artifact import Report
from nativize.dedup import DEDUPLICATE
from nativize.recipe import Recipe
from nativize.road import tokens_stage
from nativize.tokens import tokenise
from nativize.vocabulary import (
    CURVE,
    MERGE,
    TRAIN_TOKENIZER,
    VOCABULARY_REPORT,
    measure_curve,
    measure_drift,
    merge_vocabulary,
    report_vocabulary,
    train_tokenizer,
)
from resources.walk import Stretch, Walk


def vocabulary_curve(stretch: Stretch, corpus: Path) -> Report:
    """Tokens per character by size, to choose one; holds the pieces of all sizes; fitted once."""
    return measure_curve(corpus, stretch.place, vocabulary=stretch.recipe.vocabulary)


def tokenizer(stretch: Stretch, corpus: Path, curve: Path) -> Report:
    """The new language's own pieces (sentencepiece); fitted once."""
    vocabulary = stretch.recipe.vocabulary
    return train_tokenizer(corpus, stretch.place, vocabulary=vocabulary, curve=curve)


def merged_vocabulary(
    stretch: Stretch, base: Path, pieces: Path, corpus: Path, replay: Path
) -> Report:
    """Base and new pieces; the only owner of the vocabulary size."""
    vocabulary = stretch.recipe.vocabulary
    return merge_vocabulary(base, pieces, corpus, replay, stretch.place, vocabulary=vocabulary)


def vocabulary_report(
    stretch: Stretch, base: Path, vocabulary: Path, corpus: Path, replay: Path
) -> Report:
    """What the merge bought, which new pieces are used, how lines are cut before and after."""
    language = stretch.recipe.language
    return report_vocabulary(base, vocabulary, corpus, replay, stretch.place, language=language)


def token_shards(
    stretch: Stretch, vocabulary: Path, corpus: Path, replay: Path, instruction: Path | None = None
) -> Report:
    """The mixture's documents as packed token ids."""
    return tokenise(
        vocabulary,
        corpus,
        replay,
        stretch.place,
        mixture=stretch.recipe.mixture,
        engine=stretch.engine,
        instruction=instruction,
    )


@asset_check(
    asset=DEDUPLICATE.name,
    additional_deps=[CURVE.name, TRAIN_TOKENIZER.name, MERGE.name],
    description="Tokens per character of the newest held-out text against the value at fitting.",
)
def fertility_drift(walk: ResourceParam[Walk]) -> AssetCheckResult:
    """Warns when fitting the vocabulary anew would pay; never stops a walk.

    It stands at the corpus, so that a nightly refresh of the corpus alone tells it too.
    """
    made = [walk.store.previous_payload(name) for name in (CURVE.name, MERGE.name)]
    if not all(made):
        return AssetCheckResult(passed=True, description="no vocabulary was fitted yet")
    merged, size = walk.store.current(MERGE.name), walk.store.current(TRAIN_TOKENIZER.name)
    drift = measure_drift(
        merged.path,
        walk.store.current(CURVE.name).path,
        walk.store.current(DEDUPLICATE.name).path,
        walk.recipe,
        at_fitting=merged.metrics["new_tokens_per_character_after"],
        size=size.metrics["pieces"],
    )
    return AssetCheckResult(
        passed=not drift.pays,
        severity=AssetCheckSeverity.WARN,
        description=drift.describe(),
        metadata={
            "tokens per character at fitting": drift.at_fitting,
            "tokens per character now": round(drift.now, 4),
            "rise": f"{drift.rise:.1%}",
            "refitting would save": f"{drift.saving:.1%}",
            "refitting pays after tokens": drift.pays_after or "never",
        },
    )


def vocabulary_assets(recipe: Recipe) -> list[AssetsDefinition | AssetChecksDefinition]:
    """The vocabulary group of a recipe."""
    return [
        from_stage(recipe, CURVE, vocabulary_curve, kinds={"numpy"}),
        from_stage(recipe, TRAIN_TOKENIZER, tokenizer, kinds={"sentencepiece"}),
        from_stage(recipe, MERGE, merged_vocabulary, kinds={"sentencepiece"}),
        from_stage(recipe, VOCABULARY_REPORT, vocabulary_report, kinds={"matplotlib"}),
        from_stage(recipe, tokens_stage(recipe), token_shards, kinds={"numpy"}),
        fertility_drift,
    ]
