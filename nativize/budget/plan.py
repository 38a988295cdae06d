"""The plan of a training: what it needs, how long it takes, what it costs; and whether it fits.

Hours are FLOPs by what the hardware does at most, times a share of it that is named: 0.40 is what
good single-node trainings of such models reach (PaLM 0.46, LLaMA 0.4 to 0.5 of an A100), less
where weights travel. On a CPU nothing is promised; what an earlier training reached is used.
"""

import importlib.util
from dataclasses import dataclass, replace

from nativize.artifact import ArtifactStore
from nativize.budget.flops import flops_per_token
from nativize.budget.hardware import Hardware, find_hardware
from nativize.budget.memory import Memory, Setup, memory_of
from nativize.budget.model import Model, current_value, model_of, values_file
from nativize.recipe import Chat, Recipe, Trainer, TrainStage
from nativize.tokens import TokenShards

UTILISATION = 0.40
TRAVELLING = 0.25
"""Where weights are gathered for each layer (ZeRO-3) or cross PCIe (offload)."""
CHECKPOINTED = 3 / 4
"""Of the speed: 8 FLOPs a weight instead of 6."""

BYTES = 4
"""Of a number in checkpoints and results: float32."""


@dataclass(frozen=True)
class Budget:
    """What one training costs.

    Attributes:
        stage: its name.
        setup: what was reckoned with.
        memory: of one GPU.
        hardware: named by the recipe, or None.
        price: of a GPU's hour, or None.
        steps: optimiser steps; None if the dialogues are not there to be counted.
        epochs: how often each stream of the token shards is seen; empty before they exist.
        speed: tokens a second that an earlier training reached, or None.
    """

    stage: str
    setup: Setup
    memory: Memory
    hardware: Hardware | None
    price: float | None
    steps: int | None
    epochs: dict[str, float]
    speed: float | None

    @property
    def fits(self) -> bool | None:
        """None where no hardware with a memory of its own is named."""
        if self.hardware is None or self.hardware.memory is None:
            return None
        return self.memory.total <= self.hardware.memory

    @property
    def tokens_a_step(self) -> int:
        return self.setup.batch_samples * self.setup.sequence_length

    @property
    def tokens(self) -> int | None:
        return None if self.steps is None else self.steps * self.tokens_a_step

    @property
    def flops_a_token(self) -> float:
        setup = self.setup
        return flops_per_token(setup.shapes, setup.stage, setup.sequence_length, setup.new_rows)

    @property
    def flops(self) -> float | None:
        return None if self.tokens is None else self.tokens * self.flops_a_token

    @property
    def utilisation(self) -> float:
        """Share of the peak that is assumed."""
        trainer = self.setup.trainer
        travels = trainer.zero_stage == 3 or trainer.offload != "none"
        again = CHECKPOINTED if trainer.gradient_checkpointing else 1.0
        return (TRAVELLING if travels else UTILISATION) * again

    @property
    def peak(self) -> float | None:
        """FLOP/s of one GPU."""
        if self.hardware is None:
            return None
        half = self.setup.precision != "fp32"
        return self.hardware.half if half else self.hardware.single

    @property
    def tokens_a_second(self) -> float | None:
        """Of all GPUs together: predicted, or where nothing can be predicted measured."""
        if self.peak is None:
            return self.speed
        return self.peak * self.utilisation * self.setup.world / self.flops_a_token

    @property
    def hours(self) -> float | None:
        if self.tokens is None or not self.tokens_a_second:
            return None
        return self.tokens / self.tokens_a_second / 3600

    @property
    def cost(self) -> float | None:
        if self.hours is None or self.price is None:
            return None
        return self.hours * self.setup.world * self.price

    @property
    def checkpoint_bytes(self) -> float:
        """All checkpoints that lie on disk at once: one more while the newest is written."""
        kept = self.setup.trainer.keep_checkpoints + 1
        return 3.0 * BYTES * self.setup.trained.count * kept

    @property
    def result_bytes(self) -> float:
        """What the stage leaves: trained tensors or an adapter, in float32."""
        return float(BYTES * self.setup.trained.count)


def budgets(recipe: Recipe, store: ArtifactStore) -> list[Budget]:
    """A budget for every training of a recipe, instruction tuning last.

    Raises:
        BudgetError: the base's shapes or the hardware are not known.
    """
    model = model_of(recipe, store)
    made = [budget_of(recipe, store, stage, model) for stage in recipe.stage]
    return [*made, _of_chat(recipe, store, recipe.chat, model)] if recipe.chat else made


def budget_of(recipe: Recipe, store: ArtifactStore, stage: TrainStage, model: Model) -> Budget:
    """The budget of one training on token shards."""
    length = recipe.mixture.sequence_length
    parts = recipe.mixture.packing == "documents"
    setup = _setup(
        recipe.trainer, stage, model, length, max(1, stage.batch_tokens // length), parts
    )
    name = f"{stage.name}_checkpoints"
    epochs = _epochs(recipe, store, setup.batch_samples * stage.steps)
    return _budget(recipe, store, name, setup, stage.steps, epochs)


def planned(recipe: Recipe, store: ArtifactStore, name: str) -> dict[str, float]:
    """What was planned for a training's asset, for its metadata; empty for other assets.

    Without hardware that the recipe names there is no GPU to plan for, and FLOPs are all.

    Args:
        recipe: the whole recipe.
        store: its values, for sizes that are known already.
        name: of the asset: ``<stage>_checkpoints`` or ``sft_checkpoints``.
    Raises:
        BudgetError: the base's shapes or the hardware are not known.
    """
    budget = find_budget(recipe, store, name)
    if budget is None:
        return {}
    figures = {"planned_flops": budget.flops}
    if budget.peak is not None:  # else its speed is what this very training once reached
        figures |= {
            "planned_memory_gib": budget.memory.total / 2**30,
            "planned_tokens_per_second": budget.tokens_a_second,
            "planned_hours": budget.hours,
            "planned_cost": budget.cost,
        }
    return {key: round(value, 4) for key, value in figures.items() if value is not None}


def find_budget(recipe: Recipe, store: ArtifactStore, name: str) -> Budget | None:
    """The budget of the training behind an asset, None for other assets."""
    return next((b for b in budgets(recipe, store) if b.stage == name), None)


def _of_chat(recipe: Recipe, store: ArtifactStore, chat: Chat, model: Model) -> Budget:
    dialogues = count_dialogues(recipe, store)
    stage = chat.tuning(dialogues or chat.batch_samples)
    length = chat.maximum_tokens
    setup = _setup(recipe.trainer, stage, model, length, stage.batch_tokens // length, False)
    steps = stage.steps if dialogues else None
    return _budget(recipe, store, f"{stage.name}_checkpoints", setup, steps, {})


def count_dialogues(recipe: Recipe, store: ArtifactStore) -> int | None:
    """Dialogues to train on, if instruction_data was made."""
    path = values_file(current_value(recipe, store, "instruction_data"), "train.jsonl")
    if path is None:
        return None
    with path.open("rb") as lines:
        return sum(1 for line in lines if line.strip()) or None


def _setup(
    trainer: Trainer, stage: TrainStage, model: Model, length: int, batch: int, parts: bool
) -> Setup:
    fast = trainer.kernels == "auto" and trainer.device != "cpu" and trainer.hardware != "cpu"
    return Setup(
        model.shapes,
        stage,
        trainer,
        length,
        batch,
        model.new_rows,
        parts,
        device="cpu" if "cpu" in (trainer.device, trainer.hardware) else "cuda",
        flash=fast and _has("flash_attn"),
        liger=fast and _has("liger_kernel"),
    )


def _budget(
    recipe: Recipe,
    store: ArtifactStore,
    name: str,
    setup: Setup,
    steps: int | None,
    epochs: dict[str, float],
) -> Budget:
    trainer = recipe.trainer
    hardware = find_hardware(trainer.hardware) if trainer.hardware else None
    earlier = current_value(recipe, store, name)
    speed = earlier.metrics.get("tokens_per_second") if earlier else None
    price = trainer.price_per_gpu_hour
    return Budget(name, setup, memory_of(setup), hardware, price, steps, epochs, speed)


def with_setup(budget: Budget, setup: Setup) -> Budget:
    """The same training in another setup, reckoned anew."""
    return replace(budget, setup=setup, memory=memory_of(setup))


def _epochs(recipe: Recipe, store: ArtifactStore, samples: int) -> dict[str, float]:
    made = current_value(recipe, store, "token_shards")
    return TokenShards(made.path).epochs(samples) if made else {}


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
