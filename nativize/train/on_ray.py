"""A training on the nodes of a Ray cluster: Ray places and watches, torchrun does the rest."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nativize.engine.ray import require_listener
from nativize.errors import TrainingError
from nativize.recipe import Trainer
from nativize.train.command import NODE, Node, kept_on_hosts
from nativize.train.launch import PARENT, follow

PLACE_SECONDS = 300
"""Until the cluster has room for all nodes of a training."""


def run_on_ray(trainer: Trainer, job: Path, module: str) -> int:
    """The exit code of a training with one process group on each of ``trainer.nodes`` nodes.

    The job's files lie where all nodes see them, and the cluster is the one of RAY_ADDRESS. Ray
    ends what a driver started when the driver is gone.

    Raises:
        TrainingError: Ray is not installed, no cluster answers, it has no room for so many nodes,
            or it lost one.
    """
    try:
        import ray
    except ImportError as error:
        raise TrainingError(
            "trainer.launcher = 'ray' needs Ray: pip install nativize[cluster]"
        ) from error
    address = os.environ.get("RAY_ADDRESS", "auto")
    try:
        require_listener(address)
        ray.init(address=address, log_to_driver=True, logging_level="WARNING")
    except (OSError, ValueError, RuntimeError) as error:
        raise TrainingError(
            f"no Ray cluster answers at {address}: {error}. Start one, or set RAY_ADDRESS"
        ) from error
    try:
        return _run_parts(ray, trainer, [sys.executable, "-m", module, str(job)])
    except ray.exceptions.RayError as error:
        raise TrainingError(
            f"the Ray cluster lost a part of the training: {error}. Run again, it resumes"
        ) from error
    finally:
        ray.shutdown()


def gpus_per_node(trainer: Trainer, gpus: Sequence[int]) -> int:
    """GPUs to ask of each node: one for each process, or as many as the nodes have in common.

    Args:
        trainer: ``nodes``, ``processes``, and ``device``: auto takes GPUs where there are any.
        gpus: of each node of the cluster.
    Raises:
        TrainingError: cuda is asked for and fewer nodes have a GPU than are wanted.
    """
    in_common = sorted(gpus, reverse=True)[trainer.nodes - 1 : trainer.nodes]
    if trainer.device == "cpu" or (trainer.device == "auto" and not any(in_common)):
        return 0
    if not any(in_common):
        raise TrainingError(
            f"trainer.device = 'cuda' on {trainer.nodes} nodes, but the Ray cluster's nodes have"
            f" {sorted(gpus, reverse=True)} GPUs"
        )
    return trainer.processes or in_common[0]


def _run_parts(ray: Any, trainer: Trainer, words: list[str]) -> int:
    """The first bad exit code; its part's last words go to standard error, the others end."""
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    place, gpus = _reserve(ray, trainer)

    def on(rank: int, function: Any) -> Any:
        where = PlacementGroupSchedulingStrategy(place, placement_group_bundle_index=rank)
        return ray.remote(function).options(
            scheduling_strategy=where, num_cpus=1, num_gpus=gpus, max_retries=0
        )

    address, port = ray.get(on(0, _meeting_place).remote())
    kept, here = kept_on_hosts(os.environ), os.getcwd()
    running = [
        on(rank, _run_part).remote(
            words, {**kept, NODE: str(Node(rank, trainer.nodes, address, port))}, here
        )
        for rank in range(trainer.nodes)
    ]
    try:
        while running:
            (done, *_), running = ray.wait(running, num_returns=1)
            code, last_words = ray.get(done)
            if code:
                sys.stderr.write(last_words)
                return int(code)
        return 0
    finally:
        for part in running:
            ray.cancel(part, force=True)
        ray.util.remove_placement_group(place)


def _reserve(ray: Any, trainer: Trainer) -> tuple[Any, int]:
    """Room on as many nodes as the recipe asks for, and the GPUs of each."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = gpus_per_node(trainer, [int(resources.get("GPU", 0)) for resources in alive])
    need = {"CPU": 1.0, **({"GPU": float(gpus)} if gpus else {})}
    place = ray.util.placement_group([need] * trainer.nodes, strategy="STRICT_SPREAD")
    if not place.wait(PLACE_SECONDS):
        raise TrainingError(
            f"the Ray cluster has no {trainer.nodes} nodes with {need} free each; it has"
            f" {ray.available_resources()}. Lower trainer.nodes or start more"
        )
    return place, gpus


def _meeting_place() -> tuple[str, int]:
    """This node's address and a port that is free on it now."""
    import ray

    with socket.socket() as opened:
        opened.bind(("", 0))
        return ray.util.get_node_ip_address(), int(opened.getsockname()[1])


def _run_part(words: list[str], environment: Mapping[str, str], directory: str) -> tuple[int, str]:
    """The exit code of a node's part and its last lines; it dies with this worker of Ray's."""
    process = subprocess.Popen(
        words,
        cwd=directory,
        env={**os.environ, **environment, PARENT: str(os.getpid())},
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    last_words = follow(process, lambda line: sys.stderr.write(line + "\n"))  # which Ray shows
    return process.wait(), "".join(line + "\n" for line in last_words)
