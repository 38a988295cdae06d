"""One training from its job file to its result; a killed one goes on where it was, an ended one
is not trained again.

Result: `trained.safetensors` (the tensors that changed, by their full names in the plain model,
float32) or `adapter/` (peft), with `stage.json`, `metrics.jsonl` and TensorBoard's files. The
directory appears whole.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from nativize.artifact import write_json
from nativize.artifact.files import publish_directory
from nativize.errors import TrainingError
from nativize.model.adapter import check_adapter, save_adapter
from nativize.model.overlay import ADAPTER, STAGE_FILE, TRAINED, load_with_overlays
from nativize.train.checkpoint import WEIGHT, newest_checkpoint
from nativize.train.costs import Costs
from nativize.train.engine import Engine, TorchEngine, resolve_precision
from nativize.train.health import HangGuard
from nativize.train.heldout import read_heldout
from nativize.train.job import Job, read_job
from nativize.train.kernels import fast_kernels
from nativize.train.loop import Loop
from nativize.train.loss import LanguageModelLoss, install_loss_head
from nativize.train.metrics import METRICS, TENSORBOARD, MetricsLog, OnLog, read_metrics
from nativize.train.quantise import quantise_base
from nativize.train.samples import open_samples
from nativize.train.trainable import is_adapter, prepare_trainable, trainable_share
from nativize.train.world import World, join_world, leave_world

log = logging.getLogger(__name__)


def run_job(
    job_file: Path,
    *,
    on_log: OnLog | None = None,
    on_step: Callable[[int], None] = lambda step: None,
) -> Path:
    """The output directory of a job, trained to its last step.

    Args:
        job_file: see `nativize.train.job.Job`.
        on_log: called with every line of the log as it is written.
        on_step: called with every step that is done.
    Raises:
        TrainingError: the job cannot start, its work directory or data belong to another one,
            or the training is sick; names the step.
    """
    job = read_job(job_file)
    if job.output_dir.exists() and any(job.output_dir.iterdir()):
        if _has_ended(job):
            log.info("%s: is trained to its last step", job.output_dir)
            return job.output_dir
        raise TrainingError(f"{job.output_dir}: exists and is not empty; name another output_dir")
    trainer = job.trainer
    guard = HangGuard(trainer.hang_seconds)
    try:
        world = join_world(
            trainer.device, grouped=trainer.zero_stage > 0, timeout_seconds=trainer.hang_seconds
        )
        return _train(job, world, guard, on_log, on_step)
    finally:
        guard.end()
        leave_world()


def _has_ended(job: Job) -> bool:
    """Whether the output directory holds what this job's work directory ended with."""
    try:
        record = json.loads((job.output_dir / STAGE_FILE).read_text(encoding="utf-8"))
        logs = [(where / METRICS).read_bytes() for where in (job.output_dir, job.work_dir)]
    except (OSError, ValueError):
        return False
    return logs[0] == logs[1] and record == {**record, **job.identity()}


def _train(
    job: Job, world: World, guard: HangGuard, on_log: OnLog | None, on_step: Callable[[int], None]
) -> Path:
    job.work_dir.mkdir(parents=True, exist_ok=True)
    # one of another job is refused before the work
    checkpoint = newest_checkpoint(job.work_dir, job.identity())
    samples = open_samples(job)
    torch.manual_seed(job.stage.seed)  # of the adapters' first weights
    precision = resolve_precision(job.stage.precision, world.device)
    engine, model = _engine(job, world, precision)
    metrics = MetricsLog(
        job.work_dir,
        job.trainer.log_every_steps,
        job.stage.steps,
        on_log=on_log,
        costs=Costs(job, world, precision, model.config).at,
    )
    loop = Loop(job, world, engine, samples, metrics, guard, read_heldout(job), on_step)
    loop.run(checkpoint)
    metrics.close()
    _publish(model, engine, job, world)
    world.wait()
    return job.output_dir


def _engine(job: Job, world: World, precision: torch.dtype) -> tuple[Engine, Any]:
    """The engine, and the model in it: plain, or a peft model for adapters."""
    plain = load_with_overlays(job.model, job.overlays)
    plain = fast_kernels(plain, job.trainer, world.device)
    install_loss_head(plain)
    plain = quantise_base(plain, job.stage, job.trainer, precision, world.device)
    if job.trainer.gradient_checkpointing:
        plain.gradient_checkpointing_enable({"use_reentrant": False})
    model = prepare_trainable(plain, job.stage, job.new_rows).train()
    loss = LanguageModelLoss(model)
    if job.trainer.zero_stage:
        from nativize.train.deepspeed_engine import DeepSpeedEngine

        return DeepSpeedEngine(loss, job, world, precision), model
    return TorchEngine(loss, job.stage, world, precision), model


def _publish(model: Any, engine: Engine, job: Job, world: World) -> None:
    learnt = {name: tensor for name, _, tensor in engine.state((WEIGHT,)) if world.leads}
    if not world.leads:
        return
    temporary = job.output_dir.with_name(f".{job.output_dir.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if is_adapter(job.stage):
        save_adapter(model, temporary / ADAPTER, _by_all_names(model, learnt))
        check_adapter(temporary / ADAPTER)
    else:
        save_file(learnt, temporary / TRAINED, metadata={"format": "pt"})
    shutil.copyfile(job.work_dir / METRICS, temporary / METRICS)
    shutil.copytree(job.work_dir / TENSORBOARD, temporary / TENSORBOARD)
    write_json(temporary / STAGE_FILE, _stage_record(model, job))
    publish_directory(temporary, job.output_dir)


def _by_all_names(model: Any, learnt: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A tied head has two names, and peft wants both."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    everywhere = model.named_parameters(remove_duplicate=False)
    return {
        name: learnt[names[id(parameter)]]
        for name, parameter in everywhere
        if names[id(parameter)] in learnt
    }


def _stage_record(model: Any, job: Job) -> dict[str, Any]:
    share = trainable_share(model)
    last = read_metrics(job.work_dir / METRICS)[-1]
    return {
        **job.identity(),
        "trainable_parameters": share.trainable,
        "parameters": share.total,
        "tokens": last["tokens"],
        "final_loss": last["loss"],
    }
