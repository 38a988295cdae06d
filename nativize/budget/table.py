"""A plan as people read it, and as JSON."""

from collections.abc import Iterable, Mapping
from typing import Any

from nativize.budget.model import Model
from nativize.budget.plan import Budget
from nativize.budget.remedies import refusal, remedies

GB, GiB = 1e9, 2**30


def lines_of(model: Model, trainings: Iterable[Budget], disk: Mapping[str, float]) -> list[str]:
    """The budget of a recipe: model, trainings with every term of their memory, disk."""
    lines = [f"model: {model.source}; {model.vocabulary}", *_parameters(model)]
    for budget in trainings:
        lines += ["", *_training(budget)]
    rows = [f"  {size / GB:10,.2f} GB  {name}" for name, size in disk.items()]
    total = f"  {sum(disk.values()) / GB:10,.2f} GB  all of it"
    return [*lines, "", "disk, tokens and weights", *rows, total]


def json_of(model: Model, trainings: Iterable[Budget], disk: Mapping[str, float]) -> dict[str, Any]:
    """The same as plain values: bytes, seconds and numbers without units spelled."""
    return {
        "model": {
            "source": model.source,
            "vocabulary": model.vocabulary,
            "parameters": model.shapes.total,
            **model.shapes.by_kind(),
        },
        "trainings": [_as_json(budget) for budget in trainings],
        "disk_bytes": dict(disk),
    }


def _as_json(budget: Budget) -> dict[str, Any]:
    trained, setup = budget.setup.trained, budget.setup
    wrong = budget.fits is False
    return {
        "stage": budget.stage,
        "parameters": trained.total,
        "trainable_parameters": trained.count,
        "trainable_share": trained.share,
        "hardware": budget.hardware and budget.hardware.name,
        "gpus": setup.world,
        "memory_bytes": budget.memory.total,
        "memory_terms": budget.memory.terms,
        "memory_moment": budget.memory.moment,
        "host_bytes": budget.memory.host,
        "fits": budget.fits,
        "fits_with": {c.lines: c.total for c in remedies(budget)} if wrong else {},
        "steps": budget.steps,
        "tokens": budget.tokens,
        "epochs": budget.epochs,
        "flops_per_token": budget.flops_a_token,
        "flops": budget.flops,
        "assumed_utilisation": budget.utilisation,
        "tokens_per_second": budget.tokens_a_second,
        "measured_tokens_per_second": budget.speed,
        "hours": budget.hours,
        "cost": budget.cost,
        "checkpoint_bytes": budget.checkpoint_bytes,
        "result_bytes": budget.result_bytes,
    }


def _parameters(model: Model) -> list[str]:
    kinds = ", ".join(f"{name} {count:,}" for name, count in model.shapes.by_kind().items())
    return [f"  {model.shapes.total:,} parameters: {kinds}"]


def _training(budget: Budget) -> list[str]:
    trained, setup = budget.setup.trained, budget.setup
    return [
        f"{budget.stage}: {_what(budget)}",
        f"  trains    {trained.count:,} of {trained.total:,} parameters ({trained.share:.2%})",
        f"  steps     {_steps(budget)}",
        f"  memory    {_memory(budget)}",
        *[f"  {size / GiB:12.2f} GiB  {name}" for name, size in budget.memory.terms.items()],
        *_host(budget),
        f"  time      {_time(budget)}",
        f"  disk      {budget.checkpoint_bytes / GB:,.1f} GB of checkpoints"
        f" ({setup.trainer.keep_checkpoints} kept, one being written),"
        f" {budget.result_bytes / GB:,.2f} GB of result",
        *[f"  {line}" for line in (refusal(budget) if budget.fits is False else [])],
    ]


def _what(budget: Budget) -> str:
    setup = budget.setup
    stage, trainer = setup.stage, setup.trainer
    words = [stage.trainable, setup.precision]
    if stage.trainable == "lora":
        words[0] += f" r={stage.lora.rank}"
    if stage.quantised_base != "none":
        words.append(f"base in {stage.quantised_base}")
    if trainer.zero_stage:
        words.append(f"ZeRO-{trainer.zero_stage}")
    if trainer.offload != "none":
        words.append(f"{trainer.offload} on the host")
    if trainer.gradient_checkpointing:
        words.append("checkpointed")
    fast = [name for name, there in (("flash", setup.flash), ("Liger", setup.liger)) if there]
    words.append(f"kernels: {' and '.join(fast) or 'PyTorch’s'}")
    return ", ".join(words)


def _steps(budget: Budget) -> str:
    setup = budget.setup
    batch = f"{setup.batch_samples:,} samples of {setup.sequence_length:,}"
    if budget.tokens is None:
        return f"unknown before the dialogues are read; batches of {batch}"
    text = f"{budget.steps:,} x {batch} = {budget.tokens:,} tokens"
    seen = ", ".join(f"{name} {epochs:.2f}" for name, epochs in budget.epochs.items())
    return f"{text}; epochs: {seen or 'unknown before token_shards'}"


def _memory(budget: Budget) -> str:
    setup = budget.setup
    of = ""
    if budget.hardware and budget.hardware.memory:
        of = f" of {budget.hardware.memory / GiB:.1f} of the {budget.hardware.name}"
    passes = f"{setup.samples} samples a pass, {setup.passes} passes a step"
    return f"{budget.memory.total / GiB:.1f} GiB{of}, {passes}; highest at: {budget.memory.moment}"


def _host(budget: Budget) -> list[str]:
    host = budget.memory.host
    return [f"  {host / GiB:12.2f} GiB  on the host of each node"] if host else []


def _time(budget: Budget) -> str:
    arithmetic = f"{budget.flops_a_token:.3g} FLOP a token"
    if budget.flops is not None:
        arithmetic += f", {budget.flops:.3g} in all"
    if budget.peak is None:
        return f"{arithmetic}; {_unpredicted(budget)}"
    peak, world = budget.peak / 1e12, budget.setup.world
    at = f"{world} x {peak:,.0f} TFLOP/s at an assumed {budget.utilisation:.0%}"
    speed = f"{budget.tokens_a_second:,.0f} tokens/s"
    measured = f" (last time {budget.speed:,.0f})" if budget.speed else ""
    return f"{arithmetic}; {at}: {speed}{measured}{_hours(budget)}"


def _unpredicted(budget: Budget) -> str:
    if budget.speed:
        return f"{budget.speed:,.0f} tokens/s as last time{_hours(budget)}"
    if budget.hardware is None:
        return "hours and cost: name [trainer] hardware (nativize plan --list-hardware)"
    return "a CPU’s hours are not predicted; once it trained, its speed is taken"


def _hours(budget: Budget) -> str:
    if budget.hours is None:
        return ""
    if budget.hours < 1:
        text = f", {budget.hours * 60:,.1f} minutes"
    else:
        text = f", {budget.hours:,.1f} hours"
    if budget.cost is None:
        return text
    return f"{text}, {budget.cost:,.2f} at {budget.price:g} a GPU hour"
