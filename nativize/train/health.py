"""Noticing a training that went wrong, while the last good checkpoint is near."""

import collections
import faulthandler
import math
import os
import statistics
import sys
import threading
import time

from nativize.errors import TrainingError
from nativize.train.scale import LossScale

OVERFLOWS = 20
"""fp16 steps in a row without an update: from 65,536 the scale has fallen to 1 after 16."""

HISTORY = 100
EXPLODED = 1_000.0
"""Times the median of the last norms. Spikes of 10 to 100 pass by themselves in real runs; a
thousandfold norm, `PATIENCE` times in a row, is a training that does not come back."""
PATIENCE = 5

HUNG = 70
"""Exit code of a process that gave up waiting (EX_SOFTWARE)."""


class Health:
    """Judges every step; what it refuses is named with its step and its cure."""

    def __init__(self) -> None:
        self._norms: collections.deque[float] = collections.deque(maxlen=HISTORY)
        self._exploded = 0

    def judge_loss(self, step: int, loss: float, scale: LossScale) -> None:
        """Before the weights move.

        Raises:
            TrainingError: the loss is no number, or nothing at all.
        """
        if not math.isfinite(loss):
            raise TrainingError(_sick(step, f"the loss is {loss}"))
        if loss == 0:
            raise TrainingError(
                f"step {step}: the loss is exactly 0, so nothing is learned: a broken kernel, or"
                " data that repeat one token. Try trainer.kernels = 'plain'; the checkpoints"
                " before this step are kept"
            )
        if scale.overflows >= OVERFLOWS:
            raise TrainingError(
                f"step {step}: {scale.overflows} fp16 overflows in a row. Set the stage's precision"
                " to bf16 or fp32, or lower its learning rate; the checkpoints before are kept"
            )

    def judge_norm(self, step: int, norm: float) -> None:
        """After the gradients of a step are known.

        Raises:
            TrainingError: no number, or far beyond all norms before it again and again.
        """
        if not math.isfinite(norm):
            raise TrainingError(_sick(step, f"the gradient norm is {norm}"))
        usual = statistics.median(self._norms) if len(self._norms) >= HISTORY // 2 else math.inf
        if norm <= EXPLODED * usual:
            self._norms.append(norm)
            self._exploded = 0
            return
        self._exploded += 1
        if self._exploded >= PATIENCE:
            raise TrainingError(
                _sick(step, f"the gradient norm is {norm:.3g}, usual were {usual:.3g}")
            )


class HangGuard:
    """Ends this process when no step was finished for too long: a collective that never comes."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.step = 0
        self._last = time.monotonic()
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def beat(self, step: int) -> None:
        """A step is done."""
        self.step, self._last = step, time.monotonic()

    def end(self) -> None:
        """Nothing is watched any more."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(min(1.0, self.seconds / 4)):
            if time.monotonic() - self._last > self.seconds:
                faulthandler.dump_traceback(sys.stderr)
                sys.stderr.write(
                    f"TrainingError: no step was finished for {self.seconds:.0f} s after step"
                    f" {self.step}: a process or a GPU hangs (stacks above). Run it again, it"
                    " resumes; slow steps need a larger trainer.hang_seconds\n"
                )
                sys.stderr.flush()
                os._exit(HUNG)


def _sick(step: int, what: str) -> str:
    return (
        f"step {step}: {what}. Lower the learning rate or the gradient clip; the checkpoints"
        " before this step are kept"
    )
