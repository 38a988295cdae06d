"""transformers' Trainer as the loop, with our order, our log and our checkpoints.

Trainer's own log averages the loss since its last line and starts afresh at a resume; ours notes
every step, and checkpoints fall on its lines, so that a killed and resumed training writes the
same curve.
"""

import math
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from nativize.errors import TrainingError
from nativize.train.checkpoint import PREFIX, seal_checkpoint
from nativize.train.job import Job
from nativize.train.metrics import MetricsLog
from nativize.train.samples import PlannedSamples, collate


class Loop(Trainer):  # type: ignore[misc]  # transformers has no types
    """Trainer that knows each step's loss and refuses numbers that are none."""

    def __init__(self, model: Any, job: Job, samples: PlannedSamples, metrics: MetricsLog) -> None:
        super().__init__(
            model=model,
            args=training_arguments(job),
            train_dataset=samples,
            data_collator=collate,
            callbacks=[_Seal(job)],
        )
        self.remove_callback(PrinterCallback)
        self.job = job
        self.metrics = metrics
        self._losses: list[torch.Tensor] = []
        self._tokens = 0

    def training_step(self, model: Any, inputs: Any, *rest: Any, **options: Any) -> torch.Tensor:
        """A micro batch's share of the step's loss, its gradients accumulated."""
        mask = inputs.get("attention_mask")
        self._tokens += int(inputs["input_ids"].numel() if mask is None else mask.sum())
        loss: torch.Tensor = super().training_step(model, inputs, *rest, **options)
        self._losses.append(loss)
        return loss

    def _clip_grad_norm(self, model: Any) -> Any:
        """The norm before clipping: the one place between the gradients and the optimiser."""
        norm = super()._clip_grad_norm(model)
        loss = float(torch.stack(self._losses).sum())
        self._losses.clear()
        self._note(self.state.global_step + 1, loss, float(norm))
        return norm

    def _note(self, step: int, loss: float, norm: float) -> None:
        for name, value in (("loss", loss), ("gradient norm", norm)):
            if not math.isfinite(value):
                raise TrainingError(
                    f"step {step}: the {name} is {value}. Lower the learning rate or the"
                    " gradient clip; the checkpoints before this step are kept"
                )
        rate = float(self.lr_scheduler.get_last_lr()[0])
        self.metrics.step(step, self.job.stage.steps, loss, rate, norm, self._tokens)
        self._tokens = 0


class _Seal(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Makes a written checkpoint count."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        seal_checkpoint(Path(args.output_dir) / f"{PREFIX}{state.global_step}", self.job.identity())


def training_arguments(job: Job) -> TrainingArguments:
    """Trainer's settings for a job: nothing reported anywhere, nothing shuffled."""
    stage = job.stage
    device = resolve_device(job.device)
    return TrainingArguments(
        output_dir=str(job.work_dir),
        max_steps=stage.steps,
        per_device_train_batch_size=job.micro_batch,
        gradient_accumulation_steps=job.batch_samples // job.micro_batch,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="cosine" if stage.schedule == "cosine" else "constant_with_warmup",
        warmup_steps=math.ceil(stage.warmup_share * stage.steps),
        weight_decay=stage.weight_decay,
        adam_beta2=0.95,  # LLaMA (Touvron et al. 2023), Chinese-LLaMA-Alpaca
        max_grad_norm=stage.gradient_clip,
        seed=stage.seed,
        train_sampling_strategy="sequential",
        bf16=device == "cuda" and torch.cuda.is_bf16_supported(),
        use_cpu=device == "cpu",
        save_strategy="steps",
        save_steps=job.save_steps,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=device == "cuda",
        remove_unused_columns=False,
    )


def resolve_device(device: str) -> str:
    """cpu or cuda; auto takes the accelerator where there is one.

    Raises:
        TrainingError: cuda is asked for and not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError('device = "cuda", but torch sees no GPU; set it to "auto" or "cpu"')
    return device
