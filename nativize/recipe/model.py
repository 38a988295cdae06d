"""The recipe: one model's road as typed, frozen objects.

Sections follow the road. What changes a result is identity and enters the fingerprints; what
only says where, how fast or how parallel is marked `EXECUTION` and never does. Units stand in
the names. The file format is TOML; `nativize.recipe.load` reads and explains it.
"""

import math
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from nativize.recipe.clean import Clean
from nativize.recipe.crawl import Crawl, CrawlSource
from nativize.recipe.dedup import Dedup
from nativize.recipe.quality import Quality
from nativize.recipe.section import EXECUTION, Language, Positive, Refit, Section
from nativize.recipe.training import Lora, Mixture, Trainer, TrainStage

RAY_ADDRESS = re.compile(r"auto|(ray://)?[^\s/:]+:\d+")


class Replay(Section):
    """Text of the old language against forgetting; also what a scratch base is trained on."""

    language: Language
    source: tuple[CrawlSource, ...] = Field(min_length=1)
    clean: Clean = Field(default_factory=Clean)
    dedup: Dedup = Field(default_factory=Dedup)


class Vocabulary(Section):
    """The new language's pieces and how they join the base's."""

    mode: Literal["rank", "classic", "none"] = Field(
        "rank", description="rank: hurts no old text; classic: as Chinese-LLaMA; none: keep."
    )
    kind: Literal["bpe", "unigram"] = "bpe"
    size: Positive | Literal["auto"] = Field(
        8_000, description="Pieces of the new language's own tokenizer; auto: the curve's knee."
    )
    character_coverage: float = Field(0.9995, gt=0.9, le=1.0)
    maximum_training_characters: Positive = 100_000_000
    pad_to_multiple: Positive = 64
    refit: Refit = "on_recipe_change"


class ScratchModel(Section):
    """A small Llama-architecture base that the graph itself trains on the replay corpus."""

    vocabulary_size: Positive = 4_000
    hidden_size: Positive = 192
    layers: Positive = 4
    attention_heads: Positive = 4
    steps: Positive = 300
    batch_tokens: Positive = 8_192
    learning_rate: float = Field(3e-3, gt=0)
    seed: int = 1
    refit: Refit = "on_recipe_change"


class Base(Section):
    """The open model to start from: exactly one of hub, path, scratch."""

    hub: str | None = Field(None, description="Hugging Face id, for example org/name.")
    revision: str | None = Field(None, description="Commit of the hub repository; required.")
    sha256: str | None = Field(None, description="Digest that the model's weights must have.")
    path: str | None = Field(
        None,
        description="Local Hugging Face directory, relative to the recipe.",
        json_schema_extra={EXECUTION: True},
    )
    scratch: ScratchModel | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Base":
        given = [name for name in ("hub", "path", "scratch") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"name exactly one of hub, path, scratch; got {given or 'none'}")
        if self.hub and not self.revision:
            raise ValueError("a hub model needs its revision (a commit), else reruns drift")
        return self


class Extend(Section):
    """How new rows of embedding and head start."""

    initialiser: Literal["mean_of_pieces", "frequency_weighted", "eeve", "mean", "random"] = Field(
        "mean_of_pieces",
        description="Of old rows. frequency_weighted: rare pieces count more (Arora et al. 2017);"
        " eeve: the head starts at the first piece (Kim et al. 2024).",
    )
    seed: int = 1


class Chat(Section):
    """Instruction data and supervised fine-tuning."""

    path: str = Field(
        description="Glob of JSON or JSONL: alpaca keys or messages, relative to the recipe.",
        json_schema_extra={EXECUTION: True},
    )
    template: Literal["alpaca", "llama2"] = "alpaca"
    epochs: float = Field(3.0, gt=0)
    batch_samples: Positive = 32
    learning_rate: float = Field(1e-4, gt=0)
    maximum_tokens: Positive = 512
    lora: Lora = Field(default_factory=lambda: Lora(rank=64, alpha=128))
    seed: int = 1

    def tuning(self, dialogues: int) -> TrainStage:
        """The training on so many dialogues; a batch is never larger than all of them."""
        batch = min(self.batch_samples, dialogues)
        return TrainStage(
            name="sft",
            trainable="lora",
            steps=math.ceil(dialogues * self.epochs / batch),
            batch_tokens=batch * self.maximum_tokens,
            learning_rate=self.learning_rate,
            lora=self.lora,
            seed=self.seed,
        )


class Export(Section):
    """What people take home."""

    quantisations: tuple[Literal["f32", "f16", "q8_0"], ...] = ("f16", "q8_0")


class Evaluation(Section):
    """What is measured of every model."""

    maximum_tokens: Positive = Field(200_000, description="Held-out tokens per language, at most.")
    prompts: tuple[str, ...] = Field((), description="Beginnings that each model continues.")
    sample_tokens: Positive = 60


class Engine(Section):
    """How corpus work is spread. Execution only."""

    workers: int = Field(0, ge=0, description="Processes; 0: one per core.")
    ray_address: str | None = Field(
        None, description="A Ray cluster: auto, host:port or ray://host:port; none: this machine."
    )

    @model_validator(mode="after")
    def _is_an_address(self) -> "Engine":
        if self.ray_address is not None and not RAY_ADDRESS.fullmatch(self.ray_address):
            raise ValueError(
                f"ray_address {self.ray_address!r} is none of auto, host:port, ray://host:port"
            )
        return self


class Schedule(Section):
    """When the graph walks by itself. Execution only."""

    nightly: str = Field("0 2 * * *", description="Cron expression of the corpus refresh.")
    watch_seconds: Positive = Field(60, description="How often the sensor looks at the crawl.")


class Recipe(Section):
    """One model, from raw crawl to GGUF."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._\-]*$")
    language: Language
    crawl: Crawl
    clean: Clean = Field(default_factory=Clean)
    takedown: str | None = Field(
        None,
        description="List of URLs, domains, ids and SHA-256 to remove, from replay text too.",
        json_schema_extra={EXECUTION: True},
    )
    quality: Quality = Field(default_factory=Quality)
    dedup: Dedup = Field(default_factory=Dedup)
    replay: Replay
    vocabulary: Vocabulary = Field(default_factory=Vocabulary)
    base: Base
    extend: Extend = Field(default_factory=Extend)
    mixture: Mixture = Field(default_factory=Mixture)
    stage: tuple[TrainStage, ...] = Field(min_length=1)
    chat: Chat | None = Field(None, description="Left out: no instruction tuning.")
    export: Export = Field(default_factory=Export)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    engine: Engine = Field(default_factory=Engine)
    trainer: Trainer = Field(default_factory=Trainer)
    schedule: Schedule = Field(default_factory=Schedule)
    directory: Path = Field(
        Path("."),
        description="Where the recipe lies, set when it is read; paths are relative to it.",
        json_schema_extra={EXECUTION: True},
    )

    @model_validator(mode="after")
    def _stage_names_are_unique(self) -> "Recipe":
        names = [stage.name for stage in self.stage]
        if len(set(names)) < len(names):
            raise ValueError(f"stage names must differ, got {names}")
        return self

    @model_validator(mode="after")
    def _quality_names_sources_of_the_crawl(self) -> "Recipe":
        known = {source.name for source in self.crawl.source}
        for key in ("reference_sources", "keep_sources"):
            unknown = sorted(set(getattr(self.quality, key)) - known)
            if unknown:
                raise ValueError(
                    f"quality.{key} names {', '.join(unknown)}, but the crawl's sources are"
                    f" {', '.join(sorted(known))}"
                )
        return self

    @model_validator(mode="after")
    def _instruction_text_comes_from_chat(self) -> "Recipe":
        if self.mixture.instruction_share and self.chat is None:
            raise ValueError("mixture.instruction_share needs dialogues: add a [chat] section")
        return self

    def section(self, path: str) -> Any:
        """The section or value at a dotted path; a stage is found by name (``stage.lora``)."""
        value: Any = self
        for part in path.split("."):
            if isinstance(value, tuple):
                value = next(item for item in value if item.name == part)
            else:
                value = getattr(value, part)
        return value
