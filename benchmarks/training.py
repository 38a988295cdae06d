"""Training beside its peers: tokens per second, memory, utilisation, and the same losses.

One model of random weights, one order of real samples, one optimiser; every contender trains it in
a process of its own: ours, Hugging Face's Trainer with peft as Chinese-LLaMA-Alpaca's scripts set
it up, and LLaMA-Factory. Timed is the median step after the first ones, on a CPU by processor time;
memory is the highest of the steps above what the imports took (`benchmarks.training_probe`). A
contender whose losses differ from ours is refused, for it computed something else. On a GPU the
model has TinyLlama-1.1B's shape and the arithmetic is bf16, on a CPU it is small and float32.
Utilisation is by the published peak of a GPU; a CPU has none, so a large matrix product is timed in
the same run. Beside it: how fast the loader is alone, and what token shards take on disk. Run it by
``make bench NAME=training``.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import record, training_peer
from benchmarks.training_cases import CPU, H200, WARM_UP, Scale, case_name, fitted, stage_of
from benchmarks.training_cases import write_job as write_case
from benchmarks.training_data import Data, write_data, write_random_model
from benchmarks.training_tables import README_BEGIN, README_END, readme_table, show
from nativize.budget import flops_per_token, peak_flops
from nativize.train.__main__ import ENVIRONMENT

OURS, COMPILED, TRAINER = "nativize", "nativize, compiled", "Trainer with peft"
FACTORY, UNSLOTH = "LLaMA-Factory", "Unsloth"
TRAINABLE = ("full", "lora")
LIMIT = {"cpu": 1e-5, "cuda": 1e-2}
"""Relative difference of losses: of rounding in float32 and in bf16."""
PACKAGES = ("torch", "transformers", "peft", "accelerate")


@dataclass(frozen=True)
class Result:
    """One contender in one case.

    Attributes:
        case: what is trained.
        name: of the contender.
        tokens_per_second: by the median step; see `seconds_of`.
        peak_mb: highest memory of the steps.
        utilisation: share of the peak of the arithmetic.
        loss_difference: largest relative one from our losses.
        on_the_clock: tokens per second, other work on the machine counted in.
        not_run: why there are no figures; empty where there are.
    """

    case: str
    name: str
    tokens_per_second: float = 0.0
    peak_mb: float = 0.0
    utilisation: float = 0.0
    loss_difference: float = 0.0
    on_the_clock: float = 0.0
    not_run: str = ""


class Refused(SystemExit):
    """A contender did not compute what ours did."""


class Bench:
    """Data and model of one scale, and what is measured on them."""

    def __init__(self, root: Path, scale: Scale) -> None:
        self.root, self.scale = root, scale
        self.data: Data = write_data(root, scale.sequence_length, scale.text_bytes)
        self.model = write_random_model(
            root / "model", scale.shapes, self.data.vocabulary, scale.sequence_length
        )
        self.python = training_peer.install()
        job = self._job("full")
        self.peak = self._peak(job)
        self.loader_rate: float = _ours("loader", job)["tokens_per_second"]

    def case(self, trainable: str) -> list[Result]:
        """All contenders."""
        answer = _ours("train", self._job(trainable))
        results = [self._result(trainable, OURS, answer, answer["losses"])]
        if self.scale.device == "cuda":
            compiled = _ours("train", self._job(trainable, compile=True))
            results.append(self._result(trainable, COMPILED, compiled, answer["losses"]))
        job = self._job(trainable)
        trainer = _answer([sys.executable, "-m", "benchmarks.training_trainer", str(job)])
        results.append(self._result(trainable, TRAINER, trainer, answer["losses"]))
        return [
            *results,
            self._factory(trainable, answer["losses"]),
            Result(case_name(self.scale, trainable), UNSLOTH, not_run=without_unsloth(self.scale)),
        ]

    def _factory(self, trainable: str, losses: Sequence[float]) -> Result:
        case = case_name(self.scale, trainable)
        if isinstance(self.python, str):
            return Result(case, FACTORY, not_run=self.python)
        job = self._job(trainable)
        try:
            answer = _answer([str(self.python), "-m", "benchmarks.training_factory", str(job)])
        except subprocess.CalledProcessError as error:
            lines = str(error.stderr).strip().splitlines() or ["no word of it"]
            return Result(case, FACTORY, not_run=f"it failed: {lines[-1][:200]}")
        return self._result(trainable, FACTORY, answer, losses)

    def _job(self, trainable: str, **trainer: Any) -> Path:
        place = self.root / "case"
        shutil.rmtree(place, ignore_errors=True)
        changes = list(trainer.items())
        return write_case(self.scale, trainable, self.model, self.data.tokens, place, changes)

    def _result(
        self, trainable: str, name: str, answer: Mapping[str, Any], losses: Sequence[float]
    ) -> Result:
        scale = self.scale
        tokens = scale.batch_samples * scale.sequence_length
        rate = tokens / seconds_of(answer, scale.device)
        stage = stage_of(scale, trainable)
        flops = flops_per_token(scale.shapes, stage, scale.sequence_length)
        line = Result(
            case_name(scale, trainable),
            name,
            round(rate, 1),
            round(answer["peak_bytes"] / 1e6),
            round(rate * flops / self.peak, 3),
            difference(losses, answer["losses"]),
            round(tokens / statistics.median(answer["step_seconds"][WARM_UP - 1 :]), 1),
        )
        print(f"{line.case}, {name}: {rate:.0f} tokens/s, {line.peak_mb:.0f} MB", flush=True)
        refuse_other_losses(line, scale.device)
        return line

    def _peak(self, job: Path) -> float:
        """FLOP/s: as published for this GPU, or of a matrix product here."""
        if self.scale.device == "cuda":
            import torch

            published = peak_flops(torch.cuda.get_device_name(), self.scale.precision)
            if published:
                return published
        measured: float = _ours("matmul", job)["flops"]
        return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu", action="store_true", help="refuse to run without a GPU")
    parser.add_argument("--cpu", action="store_true", help="leave a GPU alone")
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    options = parser.parse_args()
    memory = gpu_memory()
    if options.gpu and not memory:
        raise SystemExit("--gpu, but torch sees no GPU")
    use_gpu = memory and not options.cpu
    scale = fitted(H200, memory) if use_gpu else CPU
    with tempfile.TemporaryDirectory() as directory:
        found = measure(Path(directory), scale)
    record.write_results(result_name(scale), found, PACKAGES)
    show(found)
    if options.readme:
        record.write_readme(README_BEGIN, README_END, readme_table(recorded()))
    print("figures: " + " ".join(f"{key}={value}" for key, value in found["figures"].items()))


def measure(root: Path, scale: Scale) -> dict[str, Any]:
    """All cases of a scale, as they are recorded."""
    bench = Bench(root, scale)
    results = [one for trainable in TRAINABLE for one in bench.case(trainable)]
    return {
        "figures": figures_of(results, bench.loader_rate, bench.data.disk_ratio),
        "results": [asdict(one) for one in results],
        "scale": asdict(scale),
        "loader_tokens_per_second": round(bench.loader_rate),
        "peak_tflops": round(bench.peak / 1e12, 3),
        "text": bench.data.source,
    }


def figures_of(
    results: Sequence[Result], loader_rate: float, disk_ratio: float
) -> dict[str, float]:
    """The last line; speed and memory are those of the case that is worse for us."""
    cases = list(dict.fromkeys(one.case for one in results))
    found = {(one.case, one.name): one for one in results}
    speed, memory = [], []
    for case in cases:
        ours, trainer = found[case, OURS], found[case, TRAINER]
        speed.append(ours.tokens_per_second / trainer.tokens_per_second)
        memory.append(ours.peak_mb / trainer.peak_mb)
    fastest = max(one.tokens_per_second for one in results if one.name in (OURS, COMPILED))
    full, lora = speed
    return {
        "vs_trainer": round(min(speed), 2),
        "loader_ratio": round(loader_rate / fastest, 1),
        "disk_ratio": round(disk_ratio, 3),
        "peak_ratio": round(max(memory), 2),
        "full_vs_trainer": round(full, 2),
        "lora_vs_trainer": round(lora, 2),
        "utilisation": found[cases[0], OURS].utilisation,
        "loss_difference": float(f"{max(one.loss_difference for one in results):.1e}"),
    }


def seconds_of(answer: Mapping[str, Any], device: str) -> float:
    """Of the median step: on a GPU by the clock, on a CPU the processor's, over all threads.

    So what else runs on the machine counts little; waiting threads sleep in all contenders.
    """
    if device == "cuda":
        return statistics.median(answer["step_seconds"][WARM_UP - 1 :])
    used: float = statistics.median(answer["processor_seconds"][WARM_UP - 1 :])
    return used / int(answer["threads"])


def difference(ours: Sequence[float], others: Sequence[float]) -> float:
    """The largest relative difference of two runs of losses."""
    if len(ours) != len(others) or not all(map(math.isfinite, others)):
        return math.inf  # max would pass over what is no number
    return max(abs(a - b) / abs(a) for a, b in zip(ours, others, strict=True))


def refuse_other_losses(line: Result, device: str) -> None:
    """Nothing, when a contender's losses are ours.

    Raises:
        Refused: they are not; says by how much.
    """
    limit = LIMIT[device]
    if line.loss_difference > limit:
        raise Refused(
            f"{line.case}, {line.name}: losses differ from ours by {line.loss_difference:.2g},"
            f" more than {limit:.0e}; the contenders do not compute the same"
        )


def without_unsloth(scale: Scale) -> str:
    return "needs a GPU" if scale.device == "cpu" else "LLaMA-Factory stands for both"


def gpu_memory() -> int:
    """Bytes of the first GPU; 0 without one."""
    import torch

    if not torch.cuda.is_available():
        return 0
    return int(torch.cuda.get_device_properties(0).total_memory)


def result_name(scale: Scale) -> str:
    return "training" if scale.device == "cpu" else "training-gpu"


def recorded() -> dict[str, dict[str, Any]]:
    """What was recorded last on a CPU, and on a GPU; empty where nothing was."""
    return {scale.device: record.read_results(result_name(scale)) for scale in (CPU, H200)}


def _ours(kind: str, job: Path) -> dict[str, Any]:
    return _answer([sys.executable, "-m", "benchmarks.training_ours", kind, str(job)])


def _answer(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=record.ROOT,
        env={**ENVIRONMENT, **os.environ},  # as our trainer sets it, for all
    )
    if done.returncode:
        print(done.stderr[-2_000:], file=sys.stderr)
        done.check_returncode()
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()
