"""How the processes of a training are started: here, on the hosts of a file, by Slurm or Ray.

On each node one process becomes torchrun (`os.execv`, so that what ends it ends all), which
starts a process for each device. Where there is one process in all, it trains by itself.

All nodes see the job's files under the same paths (a shared file system); only the first
process of the first node writes to them.
"""

import ctypes
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nativize.errors import TrainingError
from nativize.recipe import Trainer

NODE = "NATIVIZE_NODE"
"""Environment variable: "rank count address port slots" of the node that a process leads."""

STEP = "NATIVIZE_STEP"
"""Environment variable: set where our own srun leads to. Slurm's variables alone do not tell it
from the step that an interactive allocation is."""

PORT = 29_400
"""torchrun's own default; NATIVIZE_PORT names another."""

ON_HOSTS = (
    "LD_LIBRARY_PATH", "NATIVIZE_HOME", "NATIVIZE_RECIPE", "PATH", "PYTHONPATH", "VIRTUAL_ENV",
)  # fmt: skip
ON_HOSTS_ALL = ("DAGSTER_", "GLOO_", "NCCL_")
"""Of the environment, what a process on another host gets: these, and all that begins so."""

PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True)
class Node:
    """One machine of a training: which, of how many, where the first one listens.

    Attributes:
        slots: processes that a hostfile gives this machine; 0 where it says nothing.
    """

    rank: int
    count: int
    address: str
    port: int
    slots: int = 0

    @classmethod
    def read(cls, text: str) -> "Node":
        """The node that `str` made the text of."""
        rank, count, address, port, slots = text.split()
        return cls(int(rank), int(count), address, int(port), int(slots))

    def __str__(self) -> str:
        return f"{self.rank} {self.count} {self.address} {self.port} {self.slots}"


def this_node(environment: Mapping[str, str], trainer: Trainer) -> Node | None:
    """The node that this process leads; None while nobody has started one on each.

    Raises:
        TrainingError: the recipe asks for another number of nodes than there are.
    """
    if NODE in environment:
        return Node.read(environment[NODE])
    if trainer.launcher == "slurm" and STEP in environment:
        count = int(environment["SLURM_STEP_NUM_NODES"])
        if count != trainer.nodes:
            raise TrainingError(
                f"Slurm gave this step {count} nodes, trainer.nodes is {trainer.nodes}; ask for"
                " as many with sbatch --nodes"
            )
        address = first_host(environment["SLURM_STEP_NODELIST"])
        return Node(int(environment["SLURM_NODEID"]), count, address, port_of(environment))
    if trainer.launcher == "local":
        if trainer.nodes > 1:
            raise TrainingError(
                f"trainer.nodes is {trainer.nodes}, and launcher = 'local' starts this one alone;"
                " take hostfile, slurm or ray"
            )
        return Node(0, 1, "127.0.0.1", port_of(environment))
    return None


def first_host(nodes: str) -> str:
    """The first host of a Slurm list: "gpu[03-05,9],fat1" is gpu03."""
    first = re.match(r"(\[[^]]*\]|[^,[])*", nodes)
    return re.sub(r"\[([^],-]*)[^]]*\]", r"\1", first[0] if first else nodes)


def port_of(environment: Mapping[str, str]) -> int:
    """Where the processes meet; each job of Slurm has its own, for two may share a node."""
    job = int(environment.get("SLURM_JOB_ID", 0))
    return int(environment.get("NATIVIZE_PORT", 20_000 + job % 10_000 if job else PORT))


def srun(trainer: Trainer, job: Path, module: str) -> list[str]:
    """Slurm's command that leads a process to every node of the allocation."""
    return [
        "srun", "--nodes", str(trainer.nodes), "--ntasks", str(trainer.nodes),
        "--ntasks-per-node", "1", "--cpu-bind=none", "--kill-on-bad-exit=1", "--export=ALL",
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


def processes_per_node(trainer: Trainer, slots: int = 0) -> int:
    """What the recipe says, else the hostfile; one for each GPU where both leave it open."""
    if trainer.processes or slots or trainer.device == "cpu":
        return max(1, trainer.processes or slots)
    import torch

    return max(1, torch.cuda.device_count())


def read_hostfile(path: Path) -> list[tuple[str, int]]:
    """Hosts and slots of lines "host slots=N", in order; # begins a comment, no slots are 0.

    Raises:
        TrainingError: no such file, no host in it, or a line that is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TrainingError(f"{path}: the hostfile cannot be read: {error}") from error
    hosts = []
    for number, line in enumerate(lines, 1):
        content = line.split("#")[0].strip()
        found = re.fullmatch(r"(\S+)(?:\s+slots\s*=\s*(\d+))?", content)
        if found and not content.startswith("-"):  # ssh would take it for an option
            hosts.append((found[1], int(found[2] or 0)))
        elif content:
            raise TrainingError(f'{path}, line {number}: {content!r} is not "host slots=2"')
    if not hosts:
        raise TrainingError(f'{path}: names no host; a line is "host slots=2"')
    return hosts


def nodes_of(trainer: Trainer, environment: Mapping[str, str]) -> list[tuple[str, Node]]:
    """Each host of the trainer's hostfile with the node that it is; the first one leads.

    Raises:
        TrainingError: see `read_hostfile`; or it names another number of hosts than the recipe.
    """
    path = Path(trainer.hostfile or "")
    hosts = read_hostfile(path)
    if len(hosts) != trainer.nodes:
        raise TrainingError(
            f"{path} names {len(hosts)} hosts, trainer.nodes is {trainer.nodes}; make them one"
            " number"
        )
    (first, _), port = hosts[0], port_of(environment)
    address = first.rpartition("@")[2]  # ssh's user@host
    return [
        (host, Node(rank, len(hosts), address, port, slots))
        for rank, (host, slots) in enumerate(hosts)
    ]


def kept_on_hosts(environment: Mapping[str, str]) -> dict[str, str]:
    """What of the environment goes along to another host."""
    return {
        name: value
        for name, value in environment.items()
        if name in ON_HOSTS or name.startswith(ON_HOSTS_ALL)
    }


def ssh(host: str, node: Node, job: Path, module: str, environment: Mapping[str, str]) -> list[str]:
    """The command that leads the training's part on one host; its end ends that part.

    -tt: a terminal, whose hang-up sshd passes on to what runs in it.
    """
    kept = {**kept_on_hosts(environment), NODE: str(node)}
    settings = [f"{name}={value}" for name, value in kept.items()]
    words = ["env", *settings, sys.executable, "-m", module, str(job)]
    there = f"cd {shlex.quote(os.getcwd())} && exec {shlex.join(words)}"
    return ["ssh", "-tt", "-o", "BatchMode=yes", host, there]


def run_all(commands: Sequence[Sequence[str]]) -> int:
    """The first bad exit code of processes side by side; one that ends badly ends the others.

    What they say goes to standard error: a terminal makes one stream of both.
    """
    started = [
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=end_with_parent
        )
        for command in commands
    ]
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


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it is gone; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
