"""Group corpus: from the outside world to deduplicated text."""

from pathlib import Path

from dagster import AssetsDefinition, DataVersion, ObserveResult, observable_source_asset

from assets.from_stage import from_stage
from nativize.artifact import Report
from nativize.artifact.fingerprint import fingerprint
from nativize.clean import FILTER, clean_digests, filter_shards
from nativize.crawl import READ_CRAWL, count_documents, listing_digest, read_crawl
from nativize.dedup import DEDUPLICATE, BucketRule, deduplicate
from nativize.dedup.corpus import count_kept
from nativize.dedup.evaluation_sets import evaluation_digests
from nativize.quality import SCORE, TRAIN_QUALITY, score_shards, train_quality_model
from nativize.recipe import Recipe
from nativize.replay import REPLAY, make_replay_corpus, replay_crawl
from resources.walk import Stretch

CRAWL_SOURCE = "crawl_source"


def crawl_source(recipe: Recipe) -> AssetsDefinition:
    """The outside as an observable source, whose data version is the digest of its listing."""

    @observable_source_asset(name=CRAWL_SOURCE, group_name="corpus")
    def observe() -> ObserveResult:
        """What the outside offers: a digest of the listing of files."""
        return ObserveResult(data_version=DataVersion(crawl_listing(recipe)))

    return observe


def crawl_listing(recipe: Recipe) -> str:
    """Digest of names, sizes and times of everything that the recipe reads, both languages."""
    crawls = (recipe.crawl, replay_crawl(recipe.replay))
    cleans = (recipe.clean, recipe.replay.clean)
    listings = [listing_digest(crawl, recipe.directory) for crawl in crawls]
    lists = [clean_digests(clean, recipe.takedown, recipe.directory) for clean in cleans]
    for dedup in (recipe.dedup, recipe.replay.dedup):
        lists.append(evaluation_digests(dedup.decontamination, recipe.directory))
    return fingerprint({"listings": listings, "lists": lists})


def raw_crawl(stretch: Stretch) -> Report:
    """Documents as extracted, shard by shard, with where each came from."""
    recipe = stretch.recipe
    return read_crawl(
        stretch.place, crawl=recipe.crawl, directory=recipe.directory, engine=stretch.engine
    )


def filtered_shards(stretch: Stretch, raw: Path) -> Report:
    """Normalised documents that passed the filters; every drop has a reason."""
    recipe = stretch.recipe
    return filter_shards(
        raw,
        stretch.place,
        language=recipe.language,
        clean=recipe.clean,
        takedown=recipe.takedown,
        directory=recipe.directory,
        engine=stretch.engine,
    )


def quality_model(stretch: Stretch, filtered: Path) -> Report:
    """The n-gram model (KenLM) with the bucket thresholds; fitted once."""
    recipe = stretch.recipe
    return train_quality_model(
        filtered,
        stretch.place,
        language=recipe.language,
        quality=recipe.quality,
        engine=stretch.engine,
    )


def scored_shards(stretch: Stretch, filtered: Path, model: Path) -> Report:
    """Perplexity and bucket of every document."""
    return score_shards(filtered, model, stretch.place, engine=stretch.engine)


def deduplicated_corpus(stretch: Stretch, scored: Path) -> Report:
    """What quotes no evaluation set, one of each cluster, frequent lines cut; a split held out."""
    recipe = stretch.recipe
    return deduplicate(
        scored,
        stretch.place,
        language=recipe.language,
        dedup=recipe.dedup,
        buckets=BucketRule.of(recipe.quality),
        directory=recipe.directory,
        engine=stretch.engine,
    )


def replay_corpus(stretch: Stretch) -> Report:
    """Text of the old language against forgetting, cleaned by the same functions."""
    recipe = stretch.recipe
    return make_replay_corpus(
        stretch.place,
        replay=recipe.replay,
        takedown=recipe.takedown,
        directory=recipe.directory,
        engine=stretch.engine,
    )


def corpus_assets(recipe: Recipe) -> list[AssetsDefinition]:
    """The corpus group of a recipe."""
    parquet, source = {"parquet"}, (CRAWL_SOURCE,)
    return [
        from_stage(
            recipe,
            READ_CRAWL,
            raw_crawl,
            kinds=parquet,
            extra_dependencies=source,
            counted=count_documents,
        ),
        from_stage(recipe, FILTER, filtered_shards, kinds=parquet, counted=count_documents),
        from_stage(recipe, TRAIN_QUALITY, quality_model, kinds={"kenlm"}),
        from_stage(recipe, SCORE, scored_shards, kinds=parquet, counted=count_documents),
        from_stage(recipe, DEDUPLICATE, deduplicated_corpus, kinds=parquet, counted=count_kept),
        from_stage(
            recipe,
            REPLAY,
            replay_corpus,
            kinds=parquet,
            extra_dependencies=source,
            counted=count_kept,
        ),
    ]
