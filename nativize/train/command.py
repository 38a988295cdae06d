"""How the processes of a training are started: here, on the hosts of a file, by Slurm or Ray.

On each node one process becomes torchrun (`os.execv`, so that what ends it ends all), which
starts a process for each device. Where there is one process in all, it trains by itself.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nativize.errors import TrainingError
from nativize.recipe import Trainer

NODE = "NATIVIZE_NODE"
"""Environment variable: "rank count address port" of the node that a process leads."""

PORT = 29_400
"""torchrun's own default; NATIVIZE_PORT names another."""

ON_HOSTS = ("NATIVIZE_HOME", "NATIVIZE_RECIPE", "PATH", "PYTHONPATH", "VIRTUAL_ENV")
"""Of the environment, what a process on another host gets; with all that begins with DAGSTER_."""


@dataclass(frozen=True)
class Node:
    """One machine of a training."""

    rank: int
    count: int
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.rank} {self.count} {self.address} {self.port}"


def this_node(environment: Mapping[str, str], trainer: Trainer) -> Node | None:
    """The node that this process leads; None while nobody has started one on each.

    Raises:
        TrainingError: Slurm gave another number of nodes than the recipe asks for.
    """
    if NODE in environment:
        words = environment[NODE].split()
        return Node(int(words[0]), int(words[1]), words[2], int(words[3]))
    if trainer.launcher == "slurm" and "SLURM_NODEID" in environment and in_step(environment):
        count = int(environment["SLURM_STEP_NUM_NODES"])
        if count != trainer.nodes:
            raise TrainingError(
                f"Slurm gave this step {count} nodes, trainer.nodes is {trainer.nodes}; ask for"
                " as many with sbatch --nodes"
            )
        address = first_host(environment["SLURM_STEP_NODELIST"])
        return Node(int(environment["SLURM_NODEID"]), count, address, port_of(environment))
    if trainer.launcher == "local":
        return Node(0, 1, "127.0.0.1", port_of(environment))
    return None


def in_step(environment: Mapping[str, str]) -> bool:
    """Whether srun started this process, not sbatch or salloc."""
    return environment.get("SLURM_PROCID") is not None and "SLURM_STEP_NODELIST" in environment


def first_host(nodes: str) -> str:
    """The first host of a Slurm list: "gpu[03-05,9],fat1" is gpu03."""
    head, bracket, rest = nodes.partition("[")
    if not bracket or "," in head:
        return nodes.split(",")[0]
    return head + rest.split("]")[0].split(",")[0].split("-")[0]


def port_of(environment: Mapping[str, str]) -> int:
    """Where the processes meet."""
    return int(environment.get("NATIVIZE_PORT", PORT))


def srun(trainer: Trainer, job: Path, module: str) -> list[str]:
    """Slurm's command that leads a process to every node of the allocation."""
    return [
        "srun", "--nodes", str(trainer.nodes), "--ntasks", str(trainer.nodes),
        "--ntasks-per-node", "1", "--kill-on-bad-exit=1", "--export=ALL",
        sys.executable, "-m", module, str(job),
    ]  # fmt: skip


def torchrun(node: Node, processes: int, job: Path, module: str) -> list[str]:
    """The command that starts a node's processes and ends them all when one of them ends badly."""
    meeting = (
        ["--standalone"]
        if node.count == 1
        else [
            "--nnodes", str(node.count), "--node-rank", str(node.rank),
            "--master-addr", node.address, "--master-port", str(node.port),
        ]
    )  # fmt: skip
    return [
        sys.executable, "-m", "torch.distributed.run", *meeting,
        "--nproc-per-node", str(processes), "--max-restarts", "0", "-m", module, str(job),
    ]  # fmt: skip


def processes_per_node(trainer: Trainer) -> int:
    """One for each GPU where the recipe leaves it open."""
    if trainer.processes or trainer.device == "cpu":
        return max(1, trainer.processes)
    import torch

    return max(1, torch.cuda.device_count())


def read_hostfile(path: Path) -> list[str]:
    """Hosts of lines "host slots=N", in order; # begins a comment.

    Raises:
        TrainingError: no such file, or no host in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TrainingError(f"{path}: the hostfile cannot be read: {error}") from error
    hosts = [line.split("#")[0].split()[0] for line in lines if line.split("#")[0].strip()]
    if not hosts:
        raise TrainingError(f'{path}: names no host; a line is "host slots=2"')
    return hosts


def ssh(host: str, node: Node, job: Path, module: str, environment: Mapping[str, str]) -> list[str]:
    """The command that leads the training's part on one host; its end ends that part."""
    kept = {
        name: value
        for name, value in environment.items()
        if name in ON_HOSTS or name.startswith("DAGSTER_")
    }
    settings = [f"{name}={value}" for name, value in {**kept, NODE: str(node)}.items()]
    words = ["env", *settings, sys.executable, "-m", module, str(job)]
    there = f"cd {shlex.quote(os.getcwd())} && exec {shlex.join(words)}"
    return ["ssh", "-tt", "-o", "BatchMode=yes", host, there]


def run_all(commands: Sequence[Sequence[str]]) -> int:
    """The first bad exit code of processes side by side; one that ends badly ends the others."""
    started = [subprocess.Popen(command, stdin=subprocess.DEVNULL) for command in commands]
    try:
        while True:
            codes = [process.poll() for process in started]
            bad = [code for code in codes if code]
            if bad:
                return bad[0] if bad[0] > 0 else 128 - bad[0]
            if all(code == 0 for code in codes):
                return 0
            time.sleep(0.2)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()
