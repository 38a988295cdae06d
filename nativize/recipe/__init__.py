"""The typed recipe: one TOML file, one model."""

from nativize.recipe.clean import Clean, Normalisation
from nativize.recipe.crawl import Crawl, CrawlSource
from nativize.recipe.dedup import Decontamination, Dedup, Fold, FrequentLines
from nativize.recipe.identity import identity, recipe_slice
from nativize.recipe.load import load_recipe
from nativize.recipe.model import (
    Base,
    Chat,
    Engine,
    Evaluation,
    Export,
    Extend,
    Recipe,
    Replay,
    Schedule,
    ScratchModel,
    Vocabulary,
)
from nativize.recipe.quality import BucketShares, Quality
from nativize.recipe.section import Language
from nativize.recipe.training import BucketWeights, Lora, Mixture, Trainer, TrainStage

__all__ = [
    "Base",
    "BucketShares",
    "BucketWeights",
    "Chat",
    "Clean",
    "Crawl",
    "CrawlSource",
    "Decontamination",
    "Dedup",
    "Engine",
    "Evaluation",
    "Export",
    "Extend",
    "Fold",
    "FrequentLines",
    "Language",
    "Lora",
    "Mixture",
    "Normalisation",
    "Quality",
    "Recipe",
    "Replay",
    "Schedule",
    "ScratchModel",
    "TrainStage",
    "Trainer",
    "Vocabulary",
    "identity",
    "load_recipe",
    "recipe_slice",
]
