"""The fitted quality model: the n-gram model and the thresholds of its buckets, as files."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import kenlm
import numpy as np
from numpy.typing import NDArray

from nativize.artifact import write_json
from nativize.errors import ArtifactError
from nativize.quality.text import UNITS, ModelText, Unit, units_in

MODEL = "model.binary"
BUCKETS = "buckets.json"
BUCKET_NAMES = ("head", "middle", "tail")
DECIMALS = 4
"""Perplexities (near 3 per character) are rounded: the last bits of a float reach no file."""


@dataclass(frozen=True)
class Buckets:
    """Perplexities that part head from middle and middle from tail, and the model's unit."""

    unit: Unit
    head: float
    middle: float

    def of(self, perplexities: NDArray[np.float64]) -> NDArray[np.int64]:
        """Numbers into `BUCKET_NAMES`; a threshold itself belongs to the better side."""
        return np.searchsorted([self.head, self.middle], perplexities, side="left")

    @classmethod
    def fit(
        cls, unit: Unit, perplexities: NDArray[np.float64], head: float, middle: float
    ) -> "Buckets":
        """Thresholds at two percentiles (as shares) of a sample."""
        at_head, at_middle = np.quantile(perplexities, [head, middle], method="inverted_cdf")
        return cls(unit, float(at_head), float(at_middle))

    def write(self, directory: Path, fitted_to: dict[str, Any]) -> None:
        write_json(directory / BUCKETS, {**asdict(self), "fitted_to": fitted_to})

    @classmethod
    def read(cls, directory: Path) -> "Buckets":
        """Raises:
        ArtifactError: the file is missing or has other keys than this version writes.
        """
        path = directory / BUCKETS
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            unit = next(known for known in UNITS if known == values["unit"])
            return cls(unit, float(values["head"]), float(values["middle"]))
        except (OSError, ValueError, KeyError, StopIteration) as error:
            raise ArtifactError(
                f"{path}: no buckets that can be read ({error!r}); materialise quality_model again"
            ) from error


@dataclass(frozen=True)
class Scorer:
    """Perplexity of documents under a model; opened once per process and shard."""

    model: Any
    text: ModelText

    @classmethod
    def open(cls, directory: Path, unit: Unit) -> "Scorer":
        """For the quality model in a directory.

        Raises:
            ArtifactError: a file is missing or no model.
        """
        path = directory / MODEL
        try:
            return cls(kenlm.Model(str(path)), ModelText.open(unit, directory))
        except OSError as error:
            raise ArtifactError(
                f"{path}: KenLM cannot read this model ({error}); materialise quality_model again"
            ) from error

    def perplexities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The perplexity of each text."""
        return np.array([self.perplexity(text) for text in texts], np.float64)

    def perplexity(self, text: str) -> float:
        """Per unit, the end of each line counted as a unit; infinite for a text without any."""
        lines = self.text.lines(text)
        units = sum([units_in(line) + 1 for line in lines])
        if not units:
            return float("inf")
        logarithm = sum(map(self.model.score, lines))
        return float(round(10.0 ** (-logarithm / units), DECIMALS))
