"""`python -m nativize.train job.json`: train, or resume, and say at the end what went wrong."""

import logging
import os
import shutil
import signal
import sys
from pathlib import Path

from nativize.errors import NativizeError, TrainingError
from nativize.train import command
from nativize.train.job import Job, read_job
from nativize.train.launch import PARENT
from nativize.train.metrics import OnLog
from nativize.train.noise import silence_libraries

ENVIRONMENT = {
    # waiting threads sleep: 1,830 tokens/s beside two busy processes on two cores, spinning 360
    "OMP_WAIT_POLICY": "PASSIVE",
    # a training has no business on the network
    "HF_HUB_OFFLINE": "1",
}
"""Set before torch is imported, unless the caller set them."""


def main(on_log: OnLog | None = None, module: str = "nativize.train") -> int:
    """Exit code 0 when the result is in the job's output directory.

    Args:
        on_log: called with every line of the log, in the one process that writes it.
        module: what this is run as; the processes that it starts are run as the same.
    """
    if len(sys.argv) != 2:
        sys.stderr.write(f"usage: python -m {module} job.json\n")
        return 2
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # stop at once: checkpoints are whole or unseen
    _die_with_parent()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # what DeepSpeed compiles at its first use wants ninja, which lies beside this Python
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    if os.environ.get("RANK", "0") == "0":
        logging.getLogger("nativize").setLevel(logging.INFO)
    silence_libraries()
    try:
        path = Path(sys.argv[1])
        job = read_job(path)  # a wrong job is refused before torch takes its seconds
        if "RANK" not in os.environ:
            code = _start_processes(job, path, module)
            if code is not None:
                return code
        from nativize.train.run import run_job

        run_job(path, on_log=on_log)
    except NativizeError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def _start_processes(job: Job, path: Path, module: str) -> int | None:
    """The exit code of all processes of a training; None when this process is the only one."""
    trainer = job.trainer
    node = command.this_node(os.environ, trainer)
    if node is None:
        return _start_nodes(job, path, module)
    processes = command.processes_per_node(trainer, node.slots)
    if node.count * processes == 1:
        return None
    os.environ[PARENT] = str(os.getpid())  # torchrun keeps this number
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    words = command.torchrun(node, processes, path, module)
    os.execv(words[0], words)


def _start_nodes(job: Job, path: Path, module: str) -> int:
    trainer = job.trainer
    tool = {"slurm": "srun", "hostfile": "ssh"}.get(trainer.launcher)
    if tool and shutil.which(tool) is None:
        raise TrainingError(f"launcher = '{trainer.launcher}' needs {tool}, which PATH lacks")
    os.environ.pop(PARENT, None)  # a number that means nothing on another host
    if trainer.launcher == "slurm":
        os.environ[command.STEP] = "1"
        words = command.srun(trainer, path, module)
        os.execvp(words[0], words)
    if trainer.launcher == "ray":
        from nativize.train.on_ray import run_on_ray

        return run_on_ray(trainer, path, module)
    return command.run_all(
        [
            command.ssh(host, node, path, module, os.environ)
            for host, node in command.nodes_of(trainer, os.environ)
        ]
    )


def _die_with_parent() -> None:
    """An orphaned trainer would hold the device for ever: the kernel ends it with its parent."""
    parent = os.environ.get(PARENT)
    if parent is None or sys.platform != "linux":
        return
    command.end_with_parent()
    if os.getppid() != int(parent):
        sys.exit("the process that started this training is gone")


if __name__ == "__main__":
    sys.exit(main())
