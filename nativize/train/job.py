"""The training job: everything one run of the trainer needs, as one JSON file.

What changes the result is the job's identity; where it runs and how often it saves is not.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nativize.artifact import write_json
from nativize.errors import TrainingError
from nativize.recipe import Trainer, TrainStage, identity

EXECUTION_FIELDS = frozenset({"model", "overlays", "data", "trainer", "work_dir", "output_dir"})


class Job(BaseModel):
    """One training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["tokens", "chat"] = Field(description="What lies in the data directory.")
    model: Path = Field(description="Hugging Face directory to start from.")
    overlays: tuple[Path, ...] = Field((), description="Earlier trainings, applied in order.")
    data: Path = Field(description="Token shards, or instruction data.")
    data_digest: str = Field(description="Digest the data must have; another one is refused.")
    stage: TrainStage = Field(description="What is trained, and how.")
    sequence_length: int = Field(ge=2, description="Tokens in a sample, at most.")
    batch_samples: int = Field(ge=1, description="Samples in one optimiser step.")
    new_rows: tuple[int, int] | None = Field(
        None, description="First id of the new tokens, and the one behind their last."
    )
    chat_template: str = Field("", description="Jinja template of the dialogues; chat only.")
    trainer: Trainer = Field(default_factory=Trainer, description="Where and how it runs.")
    work_dir: Path = Field(description="Checkpoints and the running log; kept for resuming.")
    output_dir: Path = Field(description="Where the result appears, whole or not at all.")

    @property
    def save_steps(self) -> int:
        """Steps between checkpoints: a multiple of the log's, so that a resumed log is equal."""
        return self._on_a_line(self.trainer.save_every_steps)

    @property
    def evaluate_steps(self) -> int:
        """Steps between two looks at held-out text; 0: never."""
        return self._on_a_line(self.trainer.evaluate_every_steps)

    def _on_a_line(self, steps: int) -> int:
        return -(-steps // self.trainer.log_every_steps) * self.trainer.log_every_steps

    def identity(self) -> dict[str, Any]:
        """What the result depends on, as plain JSON values."""
        fields = self.model_dump(mode="json", exclude=set(EXECUTION_FIELDS))
        return {**fields, "stage": identity(self.stage)}

    def write(self, path: Path) -> Path:
        """The job as the file ``path``."""
        write_json(path, self.model_dump(mode="json"))
        return path


def read_job(path: Path) -> Job:
    """The job in a file.

    Raises:
        TrainingError: no such file, not JSON, an unknown or a wrong field; names each one.
    """
    try:
        return Job.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TrainingError(f"{path}: cannot be read as a training job: {error}") from error
    except ValidationError as error:
        wrong = [".".join(map(str, item["loc"])) + ": " + item["msg"] for item in error.errors()]
        raise TrainingError(f"{path}: not a training job: " + "; ".join(wrong)) from error
