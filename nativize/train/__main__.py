"""`python -m nativize.train job.json`: train, or resume, and say at the end what went wrong."""

import ctypes
import logging
import os
import signal
import sys
from pathlib import Path

from nativize.errors import NativizeError
from nativize.train.job import read_job
from nativize.train.launch import PARENT
from nativize.train.metrics import OnLog
from nativize.train.noise import silence_libraries

PR_SET_PDEATHSIG = 1  # linux/prctl.h

ENVIRONMENT = {
    # waiting threads sleep: 1,830 tokens/s beside two busy processes on two cores, spinning 360
    "OMP_WAIT_POLICY": "PASSIVE",
    # a training has no business on the network
    "HF_HUB_OFFLINE": "1",
    # one process, one device: Trainer would spread a batch over all it sees, and enlarge it
    "CUDA_VISIBLE_DEVICES": "0",
}
"""Set before torch is imported, unless the caller set them."""


def main(on_log: OnLog | None = None) -> int:
    """Exit code 0 when the result is in the job's output directory.

    Args:
        on_log: called with every line of the log.
    """
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m nativize.train job.json\n")
        return 2
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # stop at once: checkpoints are whole or unseen
    _die_with_parent()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("nativize").setLevel(logging.INFO)
    silence_libraries()
    try:
        read_job(Path(sys.argv[1]))  # a wrong job is refused before torch takes its seconds
        from nativize.train.run import run_job

        run_job(Path(sys.argv[1]), on_log=on_log)
    except NativizeError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def _die_with_parent() -> None:
    """An orphaned trainer would hold the device for ever: the kernel ends it with its parent."""
    parent = os.environ.get(PARENT)
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit("the process that started this training is gone")


if __name__ == "__main__":
    sys.exit(main())
