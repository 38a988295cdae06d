"""What would make a training fit: changes of the recipe, each reckoned before it is named."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from nativize.budget.memory import Setup
from nativize.budget.plan import Budget, with_setup
from nativize.errors import BudgetError

GPUS = (2, 4, 8)
"""Of one node, as clouds rent them."""

MOST_PAIRS = 6

Proposal = tuple[str, str, Setup]
"""What is changed, the recipe's lines, and the setup with them."""


@dataclass(frozen=True)
class Change:
    """Recipe lines, and the memory of one GPU with them."""

    lines: str
    total: float


def remedies(budget: Budget) -> list[Change]:
    """Single changes with which it fits, of each kind the least; if there is none, pairs.

    Args:
        budget: of a training that does not fit.
    """
    single = _that_fit(budget, _changes(budget.setup))
    if single:
        return single
    pairs = (
        (f"{kind}+{other}", f"{first} and {second}", both)
        for kind, first, changed in _changes(budget.setup)
        for other, second, both in _changes(changed)
        if kind < other
    )
    return sorted(_that_fit(budget, pairs), key=lambda change: -change.total)[:MOST_PAIRS]


def refuse_what_cannot_fit(budget: Budget) -> None:
    """Nothing, where a training fits or no hardware is named.

    Raises:
        BudgetError: it cannot fit; names the sum, the GPU and every change that would help.
    """
    if budget.fits is False:
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
                yield "offload", f'zero_stage = {zero} with offload = "{what}"', moved
    for gpus in GPUS:
        for zero in (2, 3):
            if gpus > max(1, trainer.processes):
                spread = _trainer(setup, processes=gpus, zero_stage=max(zero, trainer.zero_stage))
                yield "GPUs", f"processes = {gpus} with zero_stage = {zero}", spread


def _trainer(setup: Setup, **changes: object) -> Setup:
    return replace(setup, trainer=setup.trainer.model_copy(update=changes))


def _stage(setup: Setup, **changes: object) -> Setup:
    return replace(setup, stage=setup.stage.model_copy(update=changes))
