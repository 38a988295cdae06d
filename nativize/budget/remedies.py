"""What would make a training fit: changes of the recipe, each reckoned before it is named."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from nativize.artifact import ArtifactStore
from nativize.budget.memory import Setup
from nativize.budget.plan import Budget, find_budget, with_setup
from nativize.errors import BudgetError
from nativize.recipe import Recipe

GPUS = (2, 4, 8)
"""Of one node, as clouds rent them."""

MOST_TOGETHER = 3
MOST_NAMED = 8

Proposal = tuple[str, str, Setup]
"""What is changed, the recipe's lines, and the setup with them."""


@dataclass(frozen=True)
class Change:
    """Recipe lines, and the memory of one GPU with them."""

    lines: str
    total: float


def remedies(budget: Budget) -> list[Change]:
    """Changes with which it fits: single ones, of each kind the least; or two together, or three.

    Args:
        budget: of a training that does not fit.
    """
    for together in range(1, MOST_TOGETHER + 1):
        found = _that_fit(budget, _combined(budget.setup, together))
        if found:
            return sorted(found, key=lambda change: -change.total)[:MOST_NAMED]
    return []


def refuse_what_cannot_fit(recipe: Recipe, store: ArtifactStore, name: str) -> None:
    """Nothing, where the training of an asset fits, or the recipe names no hardware.

    Raises:
        BudgetError: it cannot fit; names the sum, the GPU and every change that would help.
    """
    budget = find_budget(recipe, store, name) if recipe.trainer.hardware else None
    if budget and budget.fits is False:
        raise BudgetError("\n".join(refusal(budget)))


def refusal(budget: Budget) -> list[str]:
    """Why a training cannot run on its hardware, and what would let it."""
    if budget.hardware is None or budget.hardware.memory is None:
        return []
    ways = [f"  {c.lines}  ({c.total / 2**30:.1f} GiB)" for c in remedies(budget)]
    needs, has = budget.memory.total / 2**30, budget.hardware.memory / 2**30
    return [
        f"{budget.stage} does not fit: it needs {needs:.1f} GiB of a GPU, the"
        f" {budget.hardware.name} has {has:.1f} GiB.",
        *(["It fits with:", *ways] if ways else ["No change known here makes it fit."]),
    ]


def _that_fit(budget: Budget, proposals: Iterable[Proposal]) -> list[Change]:
    found: dict[str, Change] = {}
    for kind, lines, setup in proposals:
        if kind in found:
            continue
        changed = with_setup(budget, setup)
        if changed.fits:
            found[kind] = Change(lines, changed.memory.total)
    return list(found.values())


def _combined(setup: Setup, together: int, after: str = "") -> Iterator[Proposal]:
    """Every combination of so many changes of different kinds, kinds in order, one engine."""
    for kind, lines, changed in _changes(setup):
        if kind <= after or kind.split(":")[0] == after.split(":")[0]:
            continue
        if together == 1:
            yield kind, lines, changed
            continue
        for others, more, setup_with_all in _combined(changed, together - 1, kind):
            yield f"{kind}, {others}", f"{lines} and {more}", setup_with_all


def _changes(setup: Setup) -> Iterator[Proposal]:
    """Changes in the order of what they take: time, quality, money."""
    trainer, stage = setup.trainer, setup.stage
    size = min(trainer.micro_batch_samples, setup.samples) // 2
    while size:
        fewer = _trainer(setup, micro_batch_samples=size)
        yield "micro batch", f"micro_batch_samples = {size}", fewer
        size //= 2
    if not trainer.gradient_checkpointing:
        again = _trainer(setup, gradient_checkpointing=True)
        yield "checkpointing", "gradient_checkpointing = true", again
    if stage.trainable == "lora":
        yield from _of_adapters(setup)
    if stage.quantised_base == "none":
        yield from _engines(setup)
    if stage.trainable == "full":
        yield "adapters", 'trainable = "lora"', _stage(setup, trainable="lora")


def _of_adapters(setup: Setup) -> Iterator[Proposal]:
    stage = setup.stage
    if stage.lora.embeddings:
        lora = stage.lora.model_copy(update={"embeddings": False})
        yield "embeddings", "lora.embeddings = false", _stage(setup, lora=lora)
    if stage.quantised_base == "none" and not setup.trainer.zero_stage:
        for bits in ("int8", "nf4"):
            quantised = _stage(setup, quantised_base=bits)
            yield "quantised base", f'quantised_base = "{bits}"', quantised


def _engines(setup: Setup) -> Iterator[Proposal]:
    trainer = setup.trainer
    if setup.device == "cuda" and trainer.offload == "none":
        for zero, what in ((2, "optimizer"), (3, "optimizer"), (3, "parameters")):
            if zero >= trainer.zero_stage:
                moved = _trainer(setup, zero_stage=zero, offload=what)
                yield "engine: offload", f'zero_stage = {zero} with offload = "{what}"', moved
    for gpus in GPUS:
        for zero in (2, 3):
            if gpus > max(1, trainer.processes):
                spread = _trainer(setup, processes=gpus, zero_stage=max(zero, trainer.zero_stage))
                yield "engine: GPUs", f"processes = {gpus} with zero_stage = {zero}", spread


def _trainer(setup: Setup, **changes: object) -> Setup:
    return replace(setup, trainer=setup.trainer.model_copy(update=changes))


def _stage(setup: Setup, **changes: object) -> Setup:
    return replace(setup, stage=setup.stage.model_copy(update=changes))
