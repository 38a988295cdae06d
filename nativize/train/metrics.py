"""metrics.jsonl: one line an interval, the same lines whether or not a training was killed.

The same figures go to TensorBoard's files, beside it.
"""

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nativize.artifact import write_atomically

log = logging.getLogger(__name__)

METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"
OnLog = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Figures:
    """What one optimiser step came to.

    Attributes:
        loss: mean over the labels of the step, in nats.
        rate: learning rate.
        norm: of the gradients before clipping; None where fp16 overflowed.
        tokens: without padding, over all processes.
    """

    loss: float
    rate: float
    norm: float | None
    tokens: int
    heldout: Mapping[str, float] = field(default_factory=dict)
    """Bits per byte by language, where this step measured them."""


class MetricsLog:
    """The running log of one training; `loss` is the mean of the steps since the last line."""

    def __init__(
        self,
        work_dir: Path,
        every_steps: int,
        last_step: int,
        *,
        on_log: OnLog | None = None,
        costs: Callable[[float], dict[str, float]] | None = None,
    ) -> None:
        """A log in ``work_dir``.

        Args:
            work_dir: of the job.
            every_steps: between two lines.
            last_step: of the training; it always has a line.
            on_log: called with every line.
            costs: further figures by the tokens per second: utilisation, memory.
        """
        self.path = work_dir / METRICS
        self.every_steps = every_steps
        self.last_step = last_step
        self.on_log = on_log
        self.costs = costs
        self._losses: list[float] = []
        self._tokens_done = 0
        self._tokens_before = 0
        self._overflows = 0
        self._started = time.monotonic()
        self._board: Any = None

    def resume(self, step: int) -> None:
        """Keep the lines up to a checkpoint's step; later ones are written again."""
        from torch.utils.tensorboard import SummaryWriter

        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if _is_whole(line) and json.loads(line)["step"] <= step]
        self._tokens_before = json.loads(kept[-1])["tokens"] if kept else 0
        text = "".join(line + "\n" for line in kept)
        write_atomically(self.path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
        board = self.path.parent / TENSORBOARD
        self._board = SummaryWriter(str(board), purge_step=step + 1 if step else None)

    def start(self) -> None:
        """Begin to count the seconds of a step: speed leaves out what comes before."""
        self._started = time.monotonic()

    def step(self, step: int, figures: Figures) -> None:
        """Note one optimiser step; write a line if due."""
        self._losses.append(figures.loss)
        self._tokens_done += figures.tokens
        self._overflows += figures.norm is None
        if not self.is_due(step):
            return
        seconds = max(time.monotonic() - self._started, 1e-9)
        speed = self._tokens_done / seconds
        line = {
            "step": step,
            "loss": sum(self._losses) / len(self._losses),
            "learning_rate": figures.rate,
            "gradient_norm": figures.norm,
            "tokens": self._tokens_before + self._tokens_done,
            "tokens_per_second": round(speed, 1),
            "seconds_left": round(seconds / len(self._losses) * (self.last_step - step)),
            **{f"bits_per_byte_{name}": value for name, value in figures.heldout.items()},
            **({"overflows": self._overflows} if self._overflows else {}),
            **(self.costs(speed) if self.costs else {}),
            "time": round(time.time(), 3),
        }
        self._append(line)
        self._losses.clear()
        self._overflows = 0
        self._tokens_before += self._tokens_done
        self._tokens_done = 0
        self._started = time.monotonic()

    def is_due(self, step: int) -> bool:
        """Whether a step has a line."""
        return step % self.every_steps == 0 or step == self.last_step

    def close(self) -> None:
        """Everything on disk."""
        if self._board is not None:
            self._board.close()

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        log.info(
            "step %d of %d: loss %.4f, %.0f tokens/s, %s left",
            line["step"], self.last_step, line["loss"], line["tokens_per_second"],
            _spelled(line["seconds_left"]),
        )  # fmt: skip
        for name, value in line.items():
            if self._board is not None and name not in ("step", "time") and value is not None:
                self._board.add_scalar(name, value, line["step"], walltime=line["time"])
        if self.on_log:
            self.on_log(line)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; an unfinished last one is left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if _is_whole(line)]


def _spelled(seconds: int) -> str:
    hours, rest = divmod(seconds, 3_600)
    return f"{hours} h {rest // 60:02} min" if hours else f"{rest // 60} min {rest % 60:02} s"


def _is_whole(line: str) -> bool:
    return line.startswith("{") and line.endswith("}")
