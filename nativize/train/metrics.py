"""metrics.jsonl: one line an interval, the same lines whether or not a training was killed."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nativize.artifact import write_atomically

log = logging.getLogger(__name__)

METRICS = "metrics.jsonl"
OnLog = Callable[[dict[str, Any]], None]


class MetricsLog:
    """The running log of one training; `loss` is the mean of the steps since the last line."""

    def __init__(self, path: Path, every_steps: int, on_log: OnLog | None = None) -> None:
        self.path = path
        self.every_steps = every_steps
        self.on_log = on_log
        self._losses: list[float] = []
        self._tokens_done = 0
        self._tokens_before = 0
        self._started = time.monotonic()

    def resume(self, step: int) -> None:
        """Keep the lines up to a checkpoint's step; later ones are written again."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if _is_whole(line) and json.loads(line)["step"] <= step]
        self._tokens_before = json.loads(kept[-1])["tokens"] if kept else 0
        text = "".join(line + "\n" for line in kept)
        write_atomically(self.path, lambda temporary: temporary.write_text(text, encoding="utf-8"))

    def step(
        self, step: int, last: int, loss: float, learning_rate: float, norm: float, tokens: int
    ) -> None:
        """Note one optimiser step over ``tokens`` tokens, padding left out; write a line if due."""
        self._losses.append(loss)
        self._tokens_done += tokens
        if step % self.every_steps and step != last:
            return
        seconds = time.monotonic() - self._started
        self._append(
            {
                "step": step,
                "loss": sum(self._losses) / len(self._losses),
                "learning_rate": learning_rate,
                "gradient_norm": norm,
                "tokens": self._tokens_before + self._tokens_done,
                "tokens_per_second": round(self._tokens_done / max(seconds, 1e-9), 1),
                "time": round(time.time(), 3),
            },
            last,
        )
        self._losses.clear()
        self._tokens_before += self._tokens_done
        self._tokens_done = 0
        self._started = time.monotonic()

    def _append(self, line: dict[str, Any], last: int) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        log.info(
            "step %d of %d: loss %.4f, %.0f tokens/s",
            line["step"], last, line["loss"], line["tokens_per_second"],
        )  # fmt: skip
        if self.on_log:
            self.on_log(line)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; an unfinished last one is left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if _is_whole(line)]


def _is_whole(line: str) -> bool:
    return line.startswith("{") and line.endswith("}")
