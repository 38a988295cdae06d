"""What a training costs while it runs: how much of the device it uses, and of its memory."""

import resource
from typing import Any

import torch

from nativize.budget import flops_per_token, peak_flops, shapes_of
from nativize.errors import NativizeError
from nativize.train.engine import resolve_precision
from nativize.train.job import Job
from nativize.train.world import World


class Costs:
    """Utilisation (MFU, PaLM appendix B) and peak memory of one training's process."""

    def __init__(self, job: Job, world: World, config: Any) -> None:
        """Reckon once what a token costs.

        Args:
            job: the training.
            world: this process.
            config: of the model.
        """
        self.world = world
        precision = {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(
            resolve_precision(job.stage.precision, world.device), "fp32"
        )
        self.peak = None
        if world.device.type == "cuda":
            self.peak = peak_flops(torch.cuda.get_device_name(world.device), precision)
        first, end = job.new_rows or (0, 0)
        try:
            shapes = shapes_of(config.to_dict(), str(job.model))
            self.flops = flops_per_token(shapes, job.stage, job.sequence_length, end - first)
        except NativizeError:  # an architecture that no plan is made for trains all the same
            self.peak = None

    def at(self, tokens_per_second: float) -> dict[str, float]:
        """The figures of a line of the log, by the speed of all processes together."""
        figures = {"peak_memory_gib": round(self._peak_bytes() / 2**30, 3)}
        if self.peak is not None:
            per_device = tokens_per_second / self.world.size
            figures["mfu"] = round(per_device * self.flops / self.peak, 4)
        return figures

    def _peak_bytes(self) -> int:
        if self.world.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.world.device)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
