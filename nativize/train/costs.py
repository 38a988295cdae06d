"""What a training costs while it runs: how much of the device it uses, and of its memory."""

import resource
from typing import Any

import torch

from nativize.budget import flops_per_token, peak_flops, shapes_of
from nativize.errors import BudgetError
from nativize.train.engine import DTYPES
from nativize.train.job import Job
from nativize.train.world import World


class Costs:
    """Utilisation (MFU, PaLM appendix B) and peak memory of one training's process."""

    def __init__(self, job: Job, world: World, precision: torch.dtype, config: Any) -> None:
        """Reckon once what the device could do at most, in tokens a second.

        Args:
            job: the training.
            world: this process.
            precision: of the arithmetic.
            config: of the model.
        """
        self.world = world
        self.most = self._most(job, precision, config) if world.device.type == "cuda" else None

    def _most(self, job: Job, precision: torch.dtype, config: Any) -> float | None:
        name = next(name for name, dtype in DTYPES.items() if dtype == precision)
        peak = peak_flops(torch.cuda.get_device_name(self.world.device), name)
        first, end = job.new_rows or (0, 0)
        try:
            shapes = shapes_of(config.to_dict(), str(job.model))
        except BudgetError:  # an architecture that no plan is made for trains all the same
            return None
        return peak and peak / flops_per_token(shapes, job.stage, job.sequence_length, end - first)

    def at(self, tokens_per_second: float) -> dict[str, float]:
        """The figures of a line of the log, by the speed of all processes together."""
        figures = {"peak_memory_gib": round(self._peak_bytes() / 2**30, 3)}
        if self.most:
            figures["mfu"] = round(tokens_per_second / self.world.size / self.most, 4)
        return figures

    def _peak_bytes(self) -> int:
        if self.world.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.world.device)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
