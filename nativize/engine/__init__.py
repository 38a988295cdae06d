"""The corpus engine: where shard functions run."""

from nativize.engine.local import CorpusEngine, LocalEngine

__all__ = ["CorpusEngine", "LocalEngine"]
