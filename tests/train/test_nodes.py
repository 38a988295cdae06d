"""A training on several nodes: the commands that lead to them, and two nodes for real.

What stands in for ssh and srun are small programs on PATH that do here what the real ones do
there: a command under a terminal that hangs up when ssh is gone, a task for each node in a
session of its own. The processes behind them are real, with gloo on the CPU.
"""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nativize.errors import TrainingError
from nativize.recipe import Trainer
from nativize.train import command, run_here
from nativize.train.command import Node
from nativize.train.launch import end_process_group
from nativize.train.on_ray import gpus_per_node
from nativize.train.run import run_job
from tests.engine.conftest import free_port
from tests.model.tiny import Tiny, stage
from tests.train.compared import ENDING_SECONDS, assert_same_training, processes, start, wait_for
from tests.train.test_run_job import written_job

SSH = """\
import os, pty, signal, sys
host, command = sys.argv[-2:]
if host == "elsewhere":  # where the file system is another one
    command = command.replace("out.json", "missing.json")
child, terminal = pty.fork()
if child == 0:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # sshd's children do not ignore what nohup ignores
    os.execv("/bin/sh", ["sh", "-c", command])
try:
    while text := os.read(terminal, 65536):
        os.write(1, text)
except OSError:  # the command has ended
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256)
"""

SRUN = """\
import os, signal, subprocess, sys, time
words = sys.argv[1:]
count = int(words[words.index("--ntasks") + 1])
slurm = {"SLURM_STEP_NUM_NODES": str(count), "SLURM_STEP_NODELIST": "localhost,localhost"}
tasks = [
    subprocess.Popen(
        words[words.index(sys.executable):],
        env={**os.environ, **slurm, "SLURM_NODEID": str(node), "SLURM_PROCID": str(node)},
        start_new_session=True,
    )
    for node in range(count)
]
def end(*_):
    for task in tasks:
        task.terminate()
signal.signal(signal.SIGTERM, end)
while None in (codes := [task.poll() for task in tasks]):
    if any(codes):
        end()
    time.sleep(0.1)
sys.exit(max(abs(code) for code in codes))
"""


@pytest.fixture(autouse=True)
def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, text in (("ssh", SSH), ("srun", SRUN)):
        (directory / name).write_text(f"#!{sys.executable}\n{text}")
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=":")
    monkeypatch.setenv("NATIVIZE_PORT", str(free_port()))


SAVING = {"save_every_steps": 4, "log_every_steps": 2}


def two_nodes(root: Path, launcher: str, second: str = "127.0.0.1") -> dict[str, object]:
    """A trainer of two nodes with one process each."""
    settings = {"launcher": launcher, "nodes": 2, **SAVING}
    if launcher != "hostfile":
        return settings
    (root / "hosts").write_text(f"localhost slots=1\n{second}  # this machine again\n")
    return {**settings, "hostfile": str(root / "hosts")}


@pytest.fixture(scope="module")
def one_process(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("one")
    return run_job(written_job(tiny, root, stage("full", steps=12), trainer=SAVING))


@pytest.mark.parametrize("launcher", ["hostfile", "slurm"])
def test_two_nodes_train_what_one_process_trains(
    tiny: Tiny, tmp_path: Path, one_process: Path, launcher: str
) -> None:
    training = stage("full", steps=12)
    run_here(written_job(tiny, tmp_path, training, trainer=two_nodes(tmp_path, launcher)))
    assert_same_training(tmp_path / "out", one_process)


def killed(launcher: "subprocess.Popen[str]") -> None:
    launcher.kill()
    launcher.wait()


@pytest.mark.parametrize(("launcher", "end"), [("hostfile", killed), ("slurm", end_process_group)])
def test_the_end_of_the_launcher_is_the_end_of_all_nodes(
    tiny: Tiny, tmp_path: Path, launcher: str, end: Callable[["subprocess.Popen[str]"], None]
) -> None:
    """Also of those that the launcher's signals do not reach: they are no children of it."""
    settings = two_nodes(tmp_path, launcher)
    job = written_job(tiny, tmp_path, stage("full", steps=100_000), trainer=settings)
    leader = start(job)
    try:
        wait_for(lambda: list((tmp_path / "work").glob("checkpoint-*")), 120, job)
        assert len(processes(job)) >= 4  # torchrun twice, and two that train
        end(leader)
        wait_for(lambda: not processes(job), ENDING_SECONDS, job)
    finally:
        for left in processes(job):
            os.kill(left, signal.SIGKILL)


def test_a_node_that_fails_ends_the_others_and_is_named(tiny: Tiny, tmp_path: Path) -> None:
    settings = two_nodes(tmp_path, "hostfile", second="elsewhere")
    job = written_job(tiny, tmp_path, stage("full"), trainer=settings)
    with pytest.raises(TrainingError, match=r"TrainingError: .*missing\.json: cannot be read"):
        run_here(job)
    wait_for(lambda: not processes(job), ENDING_SECONDS, job)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu03", "gpu03"),
        ("gpu03,gpu04", "gpu03"),
        ("gpu[03-05,9],fat1", "gpu03"),
        ("fat1,gpu[03-05]", "fat1"),
        ("rack[2,4]-gpu[1-2].cluster,fat1", "rack2-gpu1.cluster"),
    ],
)
def test_the_first_host_of_slurms_lists(nodes: str, first: str) -> None:
    assert command.first_host(nodes) == first


SLURM = {
    "SLURM_JOB_ID": "1234567",
    "SLURM_NODEID": "1",
    "SLURM_PROCID": "1",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "gpu[07-08]",
}


def test_a_task_of_srun_knows_its_node_and_an_allocations_shell_starts_srun() -> None:
    trainer = Trainer(launcher="slurm", nodes=2)
    assert command.this_node(SLURM, trainer) is None
    node = command.this_node({**SLURM, command.STEP: "1"}, trainer)
    assert node == Node(1, 2, "gpu07", 24_567)  # a port of this job's own
    with pytest.raises(TrainingError, match=r"gave this step 2 nodes, trainer\.nodes is 3"):
        command.this_node({**SLURM, command.STEP: "1"}, Trainer(launcher="slurm", nodes=3))


def test_one_machine_alone_is_refused_as_several() -> None:
    with pytest.raises(TrainingError, match="take hostfile, slurm or ray"):
        command.this_node({}, Trainer(nodes=2))


def test_torchrun_of_one_node_needs_no_port_and_of_several_they_meet_at_the_first() -> None:
    job = Path("/jobs/job.json")
    alone = command.torchrun(Node(0, 1, "127.0.0.1", 29_400), 8, job, "nativize.train")
    assert "--standalone" in alone
    second = shlex.join(command.torchrun(Node(1, 2, "gpu07", 24_567), 8, job, "nativize.train"))
    assert (
        "--nnodes 2 --node-rank 1 --master-addr gpu07 --master-port 24567 --nproc-per-node 8"
        " --max-restarts 0 -m nativize.train /jobs/job.json"
    ) in second


def test_srun_starts_one_task_a_node_on_all_its_cores() -> None:
    words = command.srun(Trainer(launcher="slurm", nodes=4), Path("job.json"), "nativize.train")
    assert shlex.join(words).startswith(
        "srun --nodes 4 --ntasks 4 --ntasks-per-node 1 --cpu-bind=none --kill-on-bad-exit=1"
    )
    assert words[-3:] == ["-m", "nativize.train", "job.json"]


def test_a_hostfile_as_deepspeed_and_mpi_read_it(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("# two\n\nada@gpu07 slots=4\ngpu08   # as many as it has GPUs\n")
    trainer = Trainer(launcher="hostfile", hostfile=str(path), nodes=2)
    assert command.nodes_of(trainer, {"NATIVIZE_PORT": "30000"}) == [
        ("ada@gpu07", Node(0, 2, "gpu07", 30_000, slots=4)),
        ("gpu08", Node(1, 2, "gpu07", 30_000, slots=0)),
    ]
    with pytest.raises(TrainingError, match=r"names 2 hosts, trainer\.nodes is 3"):
        command.nodes_of(trainer.model_copy(update={"nodes": 3}), {})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, "cannot be read"),
        ("# none\n", "names no host"),
        ("gpu07 slot=4\n", "line 1: 'gpu07 slot=4' is not"),
        ("\n-oProxyCommand=true\n", "line 2: '-oProxyCommand=true' is not"),
    ],
)
def test_a_hostfile_that_is_none(tmp_path: Path, text: str | None, error: str) -> None:
    path = tmp_path / "hosts"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TrainingError, match=error):
        command.read_hostfile(path)


@pytest.mark.parametrize(
    ("processes", "slots", "expected"), [(0, 0, 1), (0, 4, 4), (2, 4, 2), (2, 0, 2)]
)
def test_the_recipe_says_how_many_processes_then_the_hostfile(
    processes: int, slots: int, expected: int
) -> None:
    trainer = Trainer(device="cpu", processes=processes)
    assert command.processes_per_node(trainer, slots) == expected


def test_a_command_for_another_host_carries_what_it_needs_of_the_environment() -> None:
    environment = {"NCCL_DEBUG": "INFO", "DAGSTER_PIPES_CONTEXT": "a b", "HOME": "/root"}
    node = Node(1, 2, "gpu07", 29_400, slots=4)
    words = command.ssh("gpu08", node, Path("my job.json"), "nativize.train", environment)
    assert words[:-1] == ["ssh", "-tt", "-o", "BatchMode=yes", "gpu08"]
    there = shlex.split(words[-1])
    assert there[there.index("env") + 1 :] == [
        "NCCL_DEBUG=INFO", "DAGSTER_PIPES_CONTEXT=a b", "NATIVIZE_NODE=1 2 gpu07 29400 4",
        sys.executable, "-m", "nativize.train", "my job.json",
    ]  # fmt: skip
    assert Node.read(str(node)) == node


@pytest.mark.parametrize(
    ("settings", "gpus", "expected"),
    [
        ({}, (8, 8, 0), 8),
        ({}, (8, 4, 4), 4),
        ({}, (8, 0), 0),  # auto: without GPUs on all nodes it trains on CPUs
        ({"processes": 2}, (8, 8), 2),
        ({"device": "cpu"}, (8, 8), 0),
    ],
)
def test_ray_is_asked_for_the_gpus_that_all_nodes_have(
    settings: dict[str, object], gpus: tuple[int, ...], expected: int
) -> None:
    trainer = Trainer.model_validate({"launcher": "ray", "nodes": 2, **settings})
    assert gpus_per_node(trainer, gpus) == expected
    with pytest.raises(TrainingError, match=r"have \[8, 0\] GPUs"):
        gpus_per_node(trainer.model_copy(update={"device": "cuda"}), (8, 0))
