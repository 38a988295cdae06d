"""One training from its job file to its result; a killed one goes on where it was.

Result: `trained.safetensors` (the tensors that changed, by their full names in the plain model,
float32) or `adapter/` (peft), with `stage.json` and `metrics.jsonl`. The directory appears whole.
"""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file

from nativize.artifact import write_json
from nativize.artifact.files import publish_directory
from nativize.errors import TrainingError
from nativize.model.adapter import save_adapter
from nativize.model.overlay import ADAPTER, STAGE_FILE, TRAINED, load_with_overlays
from nativize.train.checkpoint import newest_checkpoint, step_of
from nativize.train.job import Job, read_job
from nativize.train.loop import Loop
from nativize.train.metrics import METRICS, MetricsLog, OnLog, read_metrics
from nativize.train.samples import plan_samples
from nativize.train.trainable import prepare_trainable, trainable_share, trained_tensors

log = logging.getLogger(__name__)


def run_job(job_file: Path, *, on_log: OnLog | None = None) -> Path:
    """The output directory of a job, trained to its last step.

    Args:
        job_file: see `nativize.train.job.Job`.
        on_log: called with every line of the log as it is written.
    Raises:
        TrainingError: the job cannot start, its work directory or data belong to another one,
            or the loss is no number; names the step.
    """
    job = read_job(job_file)
    if job.output_dir.exists() and any(job.output_dir.iterdir()):
        raise TrainingError(f"{job.output_dir}: exists and is not empty; name another output_dir")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    job.work_dir.mkdir(parents=True, exist_ok=True)
    checkpoint = newest_checkpoint(job.work_dir, job.identity())
    samples = plan_samples(job)
    transformers.set_seed(job.stage.seed)
    model = prepare_trainable(load_with_overlays(job.model, job.overlays), job.stage)
    metrics = MetricsLog(job.work_dir / METRICS, job.log_every_steps, on_log)
    metrics.resume(step_of(checkpoint) if checkpoint else 0)
    if checkpoint:
        log.info("resuming at step %d", step_of(checkpoint))
    Loop(model, job, samples, metrics).train(
        resume_from_checkpoint=str(checkpoint) if checkpoint else None
    )
    _publish(model, job)
    return job.output_dir


def _publish(model: Any, job: Job) -> None:
    temporary = job.output_dir.with_name(f".{job.output_dir.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if job.stage.trainable == "lora":
        save_adapter(model, temporary / ADAPTER)
    else:
        save_file(trained_tensors(model), temporary / TRAINED, metadata={"format": "pt"})
    shutil.copyfile(job.work_dir / METRICS, temporary / METRICS)
    write_json(temporary / STAGE_FILE, _stage_record(model, job))
    publish_directory(temporary, job.output_dir)


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
