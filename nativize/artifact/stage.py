"""A stage: one stretch of the road, declared once beside the function that walks it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nativize.artifact.accounts import Accounts


@dataclass(frozen=True)
class Stage:
    """What makes a stage's result: its version, the recipe sections it reads, its inputs.

    Attributes:
        name: the asset's name, a noun of the result.
        version: raised by hand when the output changes for equal inputs; a golden test watches.
        group: corpus, vocabulary, model, chat, export or evaluation.
        inputs: names of the stages whose values it reads.
        reads: dotted paths of recipe sections; the only ones its function may see.
        shard_reads: the sections that a single shard depends on beyond its task's identity;
            default all of ``reads``.
        refit: dotted path of the recipe's refit policy for what is fitted once; empty otherwise.
        fitted_to: the inputs whose new content the refit policy may ignore; default all.
        volatile: patterns of files that are no content, such as a training's log with times.
    """

    name: str
    version: int
    group: str
    inputs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    shard_reads: tuple[str, ...] | None = None
    refit: str = ""
    fitted_to: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What a stage says about its output: figures, and the books where documents passed."""

    metrics: Mapping[str, Any] = field(default_factory=dict)
    accounts: Accounts | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "metrics": dict(self.metrics),
            "accounts": self.accounts.to_json() if self.accounts else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Report":
        accounts = data["accounts"]
        return cls(data["metrics"], Accounts.from_json(accounts) if accounts else None)
