"""One training stage of the recipe: a job for the trainer, and what it left as the value."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from nativize.artifact import REPORT, Report, Workplace
from nativize.errors import TrainingError
from nativize.model.overlay import STAGE_FILE
from nativize.recipe import Trainer, TrainStage
from nativize.tokens import TokenShards
from nativize.train import Job, run_here
from nativize.train.launch import Launch
from nativize.train.metrics import METRICS, read_metrics
from nativize.train.picture import draw_training


def train_stage(
    model: Path,
    overlays: Sequence[Path],
    tokens: Path,
    place: Workplace,
    *,
    stage: TrainStage,
    trainer: Trainer,
    launch: Launch = run_here,
) -> Report:
    """The stage's checkpoint: trained tensors or adapter, and its log.

    Raises:
        TrainingError: a batch holds less than one sample, or the training failed.
    """
    shards = TokenShards(tokens)
    batch_samples = stage.batch_tokens // shards.sequence_length
    if batch_samples == 0:
        raise TrainingError(
            f"stage {stage.name}: batch_tokens = {stage.batch_tokens} is less than one sample of"
            f" {shards.sequence_length} tokens; raise it, or lower mixture.sequence_length"
        )
    shards.refuse_too_many_epochs(stage.steps * batch_samples)
    job = Job(
        kind="tokens",
        model=model,
        overlays=tuple(overlays),
        data=tokens,
        data_digest=shards.digest(),
        stage=stage,
        sequence_length=shards.sequence_length,
        batch_samples=batch_samples,
        new_rows=shards.new_rows,
        trainer=trainer,
        work_dir=place.scratch / "training",
        output_dir=place.out,
    )
    return run_training(job, place, launch)


def run_training(job: Job, place: Workplace, launch: Launch) -> Report:
    """The finished job's figures, for people and the record, and its curves as a picture."""
    launch(job.write(place.scratch / "job.json"))
    record = json.loads((job.output_dir / STAGE_FILE).read_text(encoding="utf-8"))
    lines = read_metrics(job.output_dir / METRICS)
    draw_training(lines, job.output_dir / REPORT / "training.png")
    measured = {name: lines[-1][name] for name in lines[-1] if name.startswith("bits_per_byte_")}
    speeds = [line["tokens_per_second"] for line in lines]
    return Report(
        {
            "steps": job.stage.steps,
            "tokens": record["tokens"],
            "final_loss": record["final_loss"],
            **measured,
            "trainable_parameters": record["trainable_parameters"],
            "trainable_share": record["trainable_parameters"] / record["parameters"],
            "tokens_per_second": statistics.median(speeds),
            **{name: lines[-1][name] for name in ("peak_memory_gib", "mfu") if name in lines[-1]},
        }
    )
