"""The road: every stage of a recipe, in order, with what it reads.

This is the only list of stages. The asset graph, the command line and the tests walk it.
"""

from dataclasses import replace

from nativize.artifact import Stage, file_digests
from nativize.chat import INSTRUCT, SFT, SFT_MODEL
from nativize.chat.instruction import instruction_digests
from nativize.clean import FILTER, clean_digests
from nativize.crawl import READ_CRAWL, crawl_identity
from nativize.dedup import DEDUPLICATE
from nativize.dedup.evaluation_sets import evaluation_digests
from nativize.evaluate import evaluation_stage
from nativize.export import EXPORT
from nativize.model import BASE, EXTEND, pretrained_stage, training_stage
from nativize.quality import SCORE, TRAIN_QUALITY
from nativize.recipe import Recipe
from nativize.replay import REPLAY, replay_crawl
from nativize.tokens import TOKENISE
from nativize.vocabulary import CURVE, MERGE, TRAIN_TOKENIZER, VOCABULARY_REPORT

CORPUS = (READ_CRAWL, FILTER, TRAIN_QUALITY, SCORE, DEDUPLICATE, REPLAY)


def base_stage(recipe: Recipe) -> Stage:
    """The base; one trained from scratch reads the replay corpus and is fitted to it once."""
    if recipe.base.scratch is None:
        return replace(BASE, inputs=())
    return replace(BASE, inputs=(REPLAY.name,), refit="base.scratch.refit")


def tokens_stage(recipe: Recipe) -> Stage:
    """Token shards; they read the dialogues where the mixture has a share of them."""
    if not recipe.mixture.instruction_share:
        return TOKENISE
    return replace(TOKENISE, inputs=(*TOKENISE.inputs, INSTRUCT.name))


def training_stages(recipe: Recipe) -> tuple[Stage, ...]:
    """One stage per training of the recipe; each starts from what the earlier ones trained."""
    stages: list[Stage] = []
    for training in recipe.stage:
        stages.append(training_stage(training.name, [stage.name for stage in stages]))
    return tuple(stages)


def road(recipe: Recipe) -> dict[str, Stage]:
    """All stages of a recipe by name, each after its inputs."""
    trainings = training_stages(recipe)
    models = ["base_model", "extended_model", "pretrained_model"]
    instruct = (INSTRUCT,) if recipe.chat else ()
    chat = (SFT, SFT_MODEL) if recipe.chat else ()
    models += ["sft_model"] if recipe.chat else []
    stages = (
        *CORPUS,
        CURVE,
        TRAIN_TOKENIZER,
        base_stage(recipe),
        MERGE,
        VOCABULARY_REPORT,
        *instruct,
        tokens_stage(recipe),
        EXTEND,
        *trainings,
        pretrained_stage([stage.name for stage in trainings]),
        *chat,
        replace(EXPORT, inputs=(models[-1], *EXPORT.inputs[1:])),
        evaluation_stage(models),
    )
    return {stage.name: stage for stage in stages}


def outside(recipe: Recipe, stage: str) -> dict[str, str]:
    """Digests of what a stage reads outside the store: crawls, lists, a local base, dialogues."""
    directory = recipe.directory
    match stage:
        case "filtered_shards":
            return clean_digests(recipe.clean, recipe.takedown, directory)
        case "raw_crawl":
            return crawl_identity(recipe.crawl, directory)
        case "deduplicated_corpus":
            return evaluation_digests(recipe.dedup.decontamination, directory)
        case "replay_corpus":
            lists = clean_digests(recipe.replay.clean, recipe.takedown, directory)
            sets = evaluation_digests(recipe.replay.dedup.decontamination, directory)
            return {**crawl_identity(replay_crawl(recipe.replay), directory), **lists, **sets}
        case "base_model" if recipe.base.path:
            return file_digests(directory / recipe.base.path)
        case "instruction_data" if recipe.chat:
            return instruction_digests(recipe.chat, directory)
    return {}
