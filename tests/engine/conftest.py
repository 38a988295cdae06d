"""A private Ray cluster of two nodes on this machine, ended for sure."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MARK = "NATIVIZE_TEST_CLUSTER"
STORE_BYTES = 100_000_000
START_SECONDS = 120
WORKER_PORTS = 500


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Cluster:
    """Starts nodes and knows their processes by a mark in the environment they inherit."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.mark = directory, uuid.uuid4().hex
        # each node's own; below the ports of Ray's clients (23000 on) and of the kernel
        self.worker_ports = 10_000 + free_port() % 10_000
        self.address, self.client_address = f"127.0.0.1:{free_port()}", ""

    def start_head(self) -> None:
        port, client = self.address.split(":")[1], free_port()
        self.client_address = f"ray://127.0.0.1:{client}"
        self._start(
            "--head", f"--port={port}", f"--ray-client-server-port={client}",
            "--include-dashboard=false", f"--temp-dir={self.directory}",
        )  # fmt: skip

    def join(self) -> None:
        self._start(f"--address={self.address}")

    def end(self) -> None:
        """Every process that carries the mark, by its id; `ray stop` would end all of a machine."""
        while marked := self.processes():
            for process in marked:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def processes(self) -> list[int]:
        wanted, found = f"{MARK}={self.mark}".encode(), []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
            except OSError:
                continue
        return found

    def _start(self, *options: str) -> None:
        # a token in the home of whoever tests would be asked for
        environment = {
            **os.environ, MARK: self.mark, "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled",
        }  # fmt: skip
        ray = Path(sys.executable).with_name("ray")
        first, self.worker_ports = self.worker_ports, self.worker_ports + WORKER_PORTS
        command = [
            str(ray), "start", *options, "--num-cpus=1", "--disable-usage-stats",
            f"--object-store-memory={STORE_BYTES}",
            f"--min-worker-port={first}", f"--max-worker-port={first + WORKER_PORTS - 1}",
        ]  # fmt: skip
        log = self.directory.with_suffix(".log")
        with log.open("ab") as stream:
            started = subprocess.run(
                command, env=environment, stdout=stream, stderr=stream, timeout=START_SECONDS,
                check=False,
            )  # fmt: skip
        assert started.returncode == 0, log.read_text(errors="replace")[-3_000:]


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """A head and a second node, one core each."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'nativize[cluster]'")
    # sockets live there, and their paths may have 107 bytes
    directory = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    nodes = Cluster(directory)
    try:
        nodes.start_head()
        nodes.join()
        yield nodes
    finally:
        nodes.end()
        shutil.rmtree(directory, ignore_errors=True)
        directory.with_suffix(".log").unlink(missing_ok=True)
