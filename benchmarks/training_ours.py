"""Our side of the training benchmark, each kind of measurement in a process of its own.

``python -m benchmarks.training_ours KIND job.json`` prints JSON. KIND: "train" (the job, as
``python -m nativize.train`` runs it), "loader" (the job's batches alone), "matmul" (what this
machine multiplies at most, in the job's precision).
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from nativize.train.job import read_job

LOADER_SECONDS = 3.0
MATMUL_SIZE = {"cpu": 2_048, "cuda": 8_192}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("job", type=Path)
    options = parser.parse_args()
    KINDS[options.kind](options.job)


def train(path: Path) -> None:
    """Seconds, memory and losses of the whole job."""
    from benchmarks.training_probe import LLAMA, Probe
    from nativize.train.metrics import METRICS, read_metrics
    from nativize.train.run import run_job

    job = read_job(path)
    probe = Probe(job.trainer.device, ("torch.utils.tensorboard", LLAMA))
    out = run_job(path, on_step=lambda step: probe.step())
    probe.answer([line["loss"] for line in read_metrics(out / METRICS)])


def loader(path: Path) -> None:
    """Tokens per second of one core, of the batches that the trainer takes."""
    import torch

    from nativize.train.samples import batches_of, open_samples
    from nativize.train.world import World

    job = read_job(path)
    samples, world = open_samples(job), World(0, 1, torch.device("cpu"))
    tokens, step, began = 0, 0, time.process_time()
    while (seconds := time.process_time() - began) < LOADER_SECONDS:
        step += 1
        tokens += batches_of(samples, step, job, world).tokens
    print(json.dumps({"tokens_per_second": tokens / seconds}))


def matmul(path: Path) -> None:
    """FLOP/s of a large matrix product, the best of several; on a CPU by processor time."""
    import torch

    job = read_job(path)
    device = job.trainer.device
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    size = MATMUL_SIZE[device]
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    clock = time.process_time if device == "cpu" else time.perf_counter
    seconds = min(_seconds(lambda: float((a @ b)[0, 0]), clock) for _ in range(12))
    if device == "cpu":
        seconds /= torch.get_num_threads()
    print(json.dumps({"flops": 2 * size**3 / seconds}))


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began


KINDS: dict[str, Callable[[Path], None]] = {"train": train, "loader": loader, "matmul": matmul}

if __name__ == "__main__":
    main()
