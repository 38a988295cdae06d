"""Documents in a block: where each begins, and what a model may learn of its tokens.

Positions begin anew at each document, which is how attention is told to stay inside it: what makes
masks or sequence lengths of them needs nothing else. A document's first token is predicted by
nothing, so no loss falls on it.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.int64]
Packing: TypeAlias = Literal["documents", "concatenated"]

IGNORED = -100
"""Label of a token that no loss is computed on (torch's cross entropy)."""


@dataclass(frozen=True)
class Marks:
    """The ids that part documents; at least one of them is there, and no text produces them.

    Attributes:
        bos: id before each document; None where none is written.
        eos: id after each document; None where none is written.
    """

    bos: int | None
    eos: int | None

    def __post_init__(self) -> None:
        if self.bos is None and self.eos is None:
            raise ValueError("neither BOS nor EOS: documents would run together")

    def around(self, ids: list[int]) -> list[int]:
        """A document's ids between its marks."""
        before = [self.bos] if self.bos is not None else []
        after = [self.eos] if self.eos is not None else []
        return [*before, *ids, *after]

    def starts(self, ids: Ids) -> NDArray[np.bool_]:
        """Which tokens of a block are the first of a document, or of what the block has of it.

        A document starts where EOS stands before and BOS at the place, as far as they are written.
        That also tells them apart where they are one id, as in GPT-2: no document is empty.

        Args:
            ids: (sequence_length,), at least one.
        """
        starts = np.ones(len(ids), np.bool_)
        if self.bos is not None:
            starts[1:] &= ids[1:] == self.bos
        if self.eos is not None:
            starts[1:] &= ids[:-1] == self.eos
        return starts


def pack(ids: Ids, marks: Marks, packing: Packing) -> dict[str, Ids]:
    """A block as the trainer takes it: input_ids, labels and position_ids, each int64 as ``ids``.

    Args:
        ids: (sequence_length,).
        marks: what parts its documents.
        packing: "documents": positions restart at each, labels of first tokens are IGNORED;
            "concatenated": the block is one text.
    """
    places = np.arange(len(ids))
    if packing == "concatenated":
        return {"input_ids": ids, "labels": ids, "position_ids": places}
    starts = marks.starts(ids)
    return {
        "input_ids": ids,
        "labels": np.where(starts, IGNORED, ids),
        "position_ids": places - np.maximum.accumulate(np.where(starts, places, 0)),
    }
