"""The steps of a training, from a checkpoint to the last one.

Every step is a function of the weights and its number: the samples, their order, the learning
rate and the random numbers of dropout are made from (seed, step, process). So nothing of a killed
process is missed, and what goes on from a checkpoint is what would have been.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from nativize.train.checkpoint import (
    PREFIX,
    CheckpointTensors,
    read_about,
    remove_unfinished,
    save_checkpoint,
)
from nativize.train.engine import Engine
from nativize.train.health import HangGuard, Health
from nativize.train.heldout import Heldout
from nativize.train.job import Job
from nativize.train.metrics import Figures, MetricsLog
from nativize.train.samples import Samples, StepBatches, prefetched
from nativize.train.schedule import rate_share
from nativize.train.world import World

log = logging.getLogger(__name__)


@dataclass
class Loop:
    """One training on its way.

    Attributes:
        step: optimiser steps done, those that fp16 forbade counted in.
        updates: times the weights moved.
    """

    job: Job
    world: World
    engine: Engine
    samples: Samples
    metrics: MetricsLog
    guard: HangGuard
    heldout: Heldout | None = None
    on_step: Callable[[int], None] = lambda step: None
    step: int = 0
    updates: int = 0

    def run(self, checkpoint: Path | None) -> None:
        """Train to the last step.

        Args:
            checkpoint: to go on from; None: from the first step.
        Raises:
            TrainingError: the training is sick, or cannot be saved; names step and cure.
        """
        self._resume(checkpoint)
        if self.step == self.job.stage.steps:
            return
        health = Health()
        self.metrics.start()
        for batches in prefetched(self.samples, self.step + 1, self.job, self.world):
            figures = self._measured(self._one_step(batches, health))
            if self.world.leads:
                self.metrics.step(self.step, figures)
            if self.step % self.job.save_steps == 0 or self.step == self.job.stage.steps:
                self._save()
            self.on_step(self.step)
            self.guard.beat(self.step)

    def _one_step(self, batches: StepBatches, health: Health) -> Figures:
        step = self.step + 1
        labels, tokens = self.world.sum(batches.labels, batches.tokens)
        losses = []
        for number, batch in enumerate(batches.passes, 1):
            torch.manual_seed(self._seed(step, number))
            moved = {k: v.to(self.world.device, non_blocking=True) for k, v in batch.items()}
            last = number == len(batches.passes)
            losses.append(self.engine.backward(moved, 1 / max(labels, 1), last=last))
        (loss,) = self.world.sum(float(torch.stack(losses).sum()))
        loss /= max(labels, 1)
        health.judge_loss(step, loss, self.engine.scale)
        share = rate_share(self.job.stage, step)
        norm = self.engine.step(share)
        if norm is not None:
            health.judge_norm(step, norm)
            self.updates += 1
        self.step = step
        return Figures(loss, self.job.stage.learning_rate * share, norm, int(tokens))

    def _measured(self, figures: Figures) -> Figures:
        """The figures with held-out text's, where the step is one that looks at it."""
        if self.heldout is None or not self.job.evaluate_steps:
            return figures
        if self.step % self.job.evaluate_steps and self.step != self.job.stage.steps:
            return figures
        return replace(figures, heldout=self.heldout.bits_per_byte(self.engine, self.world.device))

    def _resume(self, checkpoint: Path | None) -> None:
        if self.world.leads:
            remove_unfinished(self.job.work_dir)
        if checkpoint:
            about = read_about(checkpoint)
            self.step, self.updates = about["step"], about["updates"]
            self.engine.scale.load(about["loss_scale"])
            self.engine.restore(CheckpointTensors(checkpoint), self.updates)
            log.info("resuming at step %d", self.step)
        if self.world.leads:
            self.metrics.resume(self.step)
        self.world.wait()

    def _save(self) -> None:
        about = {
            "identity": self.job.identity(),
            "step": self.step,
            "updates": self.updates,
            "loss_scale": self.engine.scale.state(),
        }
        save_checkpoint(
            self.job.work_dir / f"{PREFIX}{self.step}",
            self.engine.state(),
            about,
            keep=self.job.trainer.keep_checkpoints,
            leads=self.world.leads,
        )
        self.world.wait()

    def _seed(self, step: int, number: int) -> int:
        text = f"{self.job.stage.seed}:{step}:{self.world.rank}:{number}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
