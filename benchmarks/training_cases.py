"""What is trained on which machine: the same jobs for all contenders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nativize.budget import Setup, Shapes, memory_of
from nativize.budget.published import TINYLLAMA
from nativize.recipe import Trainer, TrainStage
from nativize.tokens import TokenShards
from nativize.train.job import Job

ROWS = 51_520
"""Of the vocabulary: LLaMA's 32,000 and as many Japanese pieces as Swallow-like models add."""
PEERS_LOGITS = 4
"""Times that a Trainer holds a pass's logits in float32: itself, its loss and gradients."""
ROOM = 0.9


@dataclass(frozen=True)
class Scale:
    """A model and batches of a size that a machine can train.

    Attributes:
        device: cpu or cuda.
        shapes: of the model.
        sequence_length: tokens of a sample.
        batch_samples: in one step.
        micro_batch: samples in one pass.
        steps: of which `WARM_UP` are not timed.
        lora_rank: of the second case.
        text_bytes: of the new language, to make token shards of.
        checkpointing: activations are computed again.
    """

    device: str
    shapes: Shapes
    sequence_length: int
    batch_samples: int
    micro_batch: int
    steps: int
    lora_rank: int
    text_bytes: int
    checkpointing: bool = False

    @property
    def precision(self) -> str:
        return "bf16" if self.device == "cuda" else "fp32"


WARM_UP = 2

CPU = Scale("cpu", Shapes(ROWS, 256, 704, 6, 4, 2, 64), 512, 8, 8, 8, 32, 6_000_000)
"""31 million parameters, 26 of them embeddings and head."""

H200 = Scale("cuda", replace(TINYLLAMA, vocabulary=ROWS), 2_048, 32, 8, 16, 256, 12_000_000)
"""TinyLlama-1.1B with 51,520 rows."""


def stage_of(scale: Scale, trainable: str) -> TrainStage:
    """One case: full or lora, with the same settings for all."""
    fields: dict[str, Any] = {
        "name": "train",
        "trainable": trainable,
        "steps": scale.steps,
        "batch_tokens": scale.batch_samples * scale.sequence_length,
        "learning_rate": 1e-4,
        "schedule": "constant",
        "warmup_share": 0.0,
        "precision": scale.precision,
        "lora": {"rank": scale.lora_rank, "alpha": 2 * scale.lora_rank},
    }
    return TrainStage.model_validate(fields)


def case_name(scale: Scale, trainable: str) -> str:
    return "full" if trainable == "full" else f"LoRA r={scale.lora_rank} with embeddings"


def write_job(
    scale: Scale,
    trainable: str,
    model: Path,
    tokens: Path,
    place: Path,
    changes: Sequence[tuple[str, Any]] = (),
) -> Path:
    """The job of a case, whose works and result lie under ``place``."""
    place.mkdir(parents=True)
    trainer = {
        "device": scale.device,
        "micro_batch_samples": scale.micro_batch,
        "gradient_checkpointing": scale.checkpointing,
        "log_every_steps": 1,
        "save_every_steps": 1_000_000,
        **dict(changes),
    }
    job = Job(
        kind="tokens",
        model=model,
        data=tokens,
        data_digest=TokenShards(tokens).digest(),
        stage=stage_of(scale, trainable),
        sequence_length=scale.sequence_length,
        batch_samples=scale.batch_samples,
        trainer=Trainer.model_validate(trainer),
        work_dir=place / "work",
        output_dir=place / "out",
    )
    return job.write(place / "job.json")


def fitted(scale: Scale, memory_bytes: int) -> Scale:
    """The scale, with activations computed again where a contender would not fit otherwise."""
    logits = 4 * scale.shapes.vocabulary * scale.micro_batch * scale.sequence_length
    needed = max(
        memory_of(
            Setup(
                scale.shapes,
                stage_of(scale, trainable),
                Trainer(micro_batch_samples=scale.micro_batch),
                scale.sequence_length,
                scale.batch_samples,
                parts_documents=False,
            )
        ).total
        for trainable in ("full", "lora")
    )
    too_much = needed + PEERS_LOGITS * logits > ROOM * memory_bytes
    return replace(scale, checkpointing=too_much)
