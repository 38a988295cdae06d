"""The processes of one training: who this one is, and what they tell each other."""

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed
from torch._C._distributed_c10d import HashStore

from nativize.errors import TrainingError


@dataclass(frozen=True)
class World:
    """One process among ``size``, as torchrun names them in RANK, WORLD_SIZE and LOCAL_RANK."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes what is written once: log, checkpoints, result."""
        return self.rank == 0

    def sum(self, *values: float) -> list[float]:
        """The sums of each value over all processes; the same everywhere."""
        numbers = torch.tensor(values, dtype=torch.float64)
        if self.size > 1:
            numbers = numbers.to(self._of_talk())
            distributed.all_reduce(numbers)
        return [float(number) for number in numbers]

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            self.sum(0.0)

    def _of_talk(self) -> torch.device:
        return self.device if distributed.get_backend() == "nccl" else torch.device("cpu")


def join_world(device: str, *, grouped: bool, timeout_seconds: int) -> World:
    """This process's place, with the process group begun where there are several.

    Args:
        device: auto, cpu or cuda.
        grouped: begin a group for one process alone too (DeepSpeed wants one).
        timeout_seconds: after which a collective that not all take part in is an error.
    """
    if grouped:
        for name, alone in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")):
            os.environ.setdefault(name, alone)  # DeepSpeed reads them itself
    rank, size, local = (
        int(os.environ.get(name, default))
        for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
    )
    kind = resolve_device(device)
    place = torch.device(kind, local) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(place)
    on_this_node = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // on_this_node))
    if (size > 1 or grouped) and not distributed.is_initialized():
        timeout = timedelta(seconds=timeout_seconds)
        backend = "nccl" if kind == "cuda" else "gloo"
        if size > 1:
            distributed.init_process_group(backend, timeout=timeout)
        else:  # a store of its own: nobody else has to find it
            distributed.init_process_group(
                backend, store=HashStore(), rank=0, world_size=1, timeout=timeout
            )
    return World(rank, size, place)


def leave_world() -> None:
    """End the process group, if there is one."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


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
