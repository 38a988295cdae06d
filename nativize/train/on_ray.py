"""A training on the nodes of a Ray cluster: Ray places and watches, torchrun does the rest."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nativize.errors import TrainingError
from nativize.recipe import Trainer
from nativize.train.command import NODE, ON_HOSTS, Node

PLACE_SECONDS = 300
"""Until the cluster has room for all nodes of a training."""


def run_on_ray(trainer: Trainer, job: Path, module: str) -> int:
    """The exit code of a training with one process group on each of ``trainer.nodes`` nodes.

    The job's files lie where all nodes see them, and the cluster is the one of RAY_ADDRESS.

    Raises:
        TrainingError: Ray is not installed, or the cluster has no room for so many nodes.
    """
    try:
        import ray
        from ray.util.placement_group import placement_group, remove_placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
    except ImportError as error:
        raise TrainingError(
            "trainer.launcher = 'ray' needs Ray: pip install nativize[cluster]"
        ) from error
    ray.init(address=os.environ.get("RAY_ADDRESS", "auto"), log_to_driver=True, logging_level=30)
    need = {
        "CPU": 1.0,
        **({} if trainer.device == "cpu" else {"GPU": float(trainer.processes or 1)}),
    }
    group = placement_group([need] * trainer.nodes, strategy="STRICT_SPREAD")
    try:
        if not group.wait(PLACE_SECONDS):
            raise TrainingError(
                f"the Ray cluster has no {trainer.nodes} nodes with {need} free each; it has"
                f" {ray.available_resources()}. Lower trainer.nodes or start more"
            )

        def on(rank: int) -> dict[str, Any]:
            place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)
            gpus = need.get("GPU", 0.0)
            return {"scheduling_strategy": place, "num_cpus": 1, "num_gpus": gpus, "max_retries": 0}

        address, port = ray.get(ray.remote(_meeting_place).options(**on(0)).remote())
        kept = {name: os.environ[name] for name in ON_HOSTS if name in os.environ}
        parts = [
            ray.remote(_run_part)
            .options(**on(rank))
            .remote(
                [sys.executable, "-m", module, str(job)],
                {**kept, NODE: str(Node(rank, trainer.nodes, address, port))},
                os.getcwd(),
            )
            for rank in range(trainer.nodes)
        ]
        codes: list[int] = ray.get(parts)
        return max(codes)
    finally:
        remove_placement_group(group)
        ray.shutdown()


def _meeting_place() -> tuple[str, int]:
    """This node's address and a port that is free on it now."""
    import ray

    with socket.socket() as opened:
        opened.bind(("", 0))
        return ray.util.get_node_ip_address(), int(opened.getsockname()[1])


def _run_part(words: list[str], environment: Mapping[str, str], directory: str) -> int:
    from nativize.train.launch import PARENT

    return subprocess.run(
        words,
        cwd=directory,
        env={**os.environ, **environment, PARENT: str(os.getpid())},
        check=False,
    ).returncode
