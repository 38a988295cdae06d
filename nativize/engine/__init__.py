"""The corpus engine: where shard functions run."""

from nativize.engine.local import CorpusEngine, LocalEngine
from nativize.engine.ray import RayEngine

__all__ = ["CorpusEngine", "LocalEngine", "RayEngine", "engine_at"]


def engine_at(ray_address: str | None, workers: int) -> CorpusEngine:
    """The Ray cluster at an address, or this machine when none is named."""
    return RayEngine(ray_address, workers) if ray_address else LocalEngine(workers)
