"""Clock and memory of a training, the same for every contender; runs in each one's process.

Peak memory is what the training takes above its imports: highest resident memory up to a moment
less that before the model was loaded, on the CPU; what CUDA's allocator gave out at most, on a GPU.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

LLAMA = "transformers.models.llama.modeling_llama"

CLEAR_PEAK = "5"
"""Written to clear_refs it makes VmHWM the memory of now (proc_pid_clear_refs(5))."""


class Probe:
    """The moments at which steps end, and the highest memory until then."""

    def __init__(self, device: str, libraries: Sequence[str] = ()) -> None:
        """Takes the memory of now as nothing.

        Args:
            device: cpu or cuda.
            libraries: modules that a training imports late; their memory is none of its own.
        """
        for name in libraries:
            importlib.import_module(name)
        self.on_gpu = device == "cuda"
        # as many threads for all: torch alone takes one for a core with two hyperthreads
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        Path("/proc/self/clear_refs").write_text(CLEAR_PEAK, encoding="ascii")
        self._before = 0 if self.on_gpu else _status("VmRSS")
        self._moments: list[float] = []
        self._used: list[float] = []
        self._peaks: list[int] = []

    def step(self) -> None:
        """A step has ended."""
        if self.on_gpu:
            torch.cuda.synchronize()
        self._moments.append(time.perf_counter())
        self._used.append(time.process_time())
        self._peaks.append(
            torch.cuda.max_memory_allocated() if self.on_gpu else _status("VmHWM") - self._before
        )

    def answer(self, losses: list[float]) -> None:
        """Print what was seen, as JSON on a line.

        Seconds, on the clock and of the processor (all threads), are those between the ends of
        steps. The last step is left out, as ours writes its checkpoint in it.
        """
        found: dict[str, Any] = {
            "step_seconds": _between(self._moments[:-1]),
            "processor_seconds": _between(self._used[:-1]),
            "threads": torch.get_num_threads(),
            "peak_bytes": self._peaks[-2],
            "losses": losses,
            "device": torch.cuda.get_device_name() if self.on_gpu else "cpu",
        }
        sys.stdout.write("\n" + json.dumps(found) + "\n")


def _between(moments: list[float]) -> list[float]:
    return [b - a for a, b in pairwise(moments)]


def _status(name: str) -> int:
    """Bytes, as Linux tells them of this process."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024
