"""A model's tensors out of safetensors, one at a time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import numpy.typing
import torch
from safetensors import safe_open

from nativize.errors import ExportError

Array = numpy.typing.NDArray[Any]


class Weights:
    """Tensors of a Hugging Face directory by name, read when asked for.

    Attributes:
        shapes: name → shape, sorted by name.
    """

    def __init__(self, model: Path) -> None:
        """Opens ``model.safetensors``, or all files of its index.

        Raises:
            ExportError: the directory holds no safetensors.
        """
        files: list[Any] = [safe_open(path, framework="pt") for path in _weight_files(model)]
        # no mapping: safe_open cannot be iterated
        self._places = {name: file for file in files for name in file.keys()}  # noqa: SIM118
        self.shapes = dict(sorted(self._shapes()))

    def read(self, name: str) -> Array:
        """The tensor as float32."""
        tensor: torch.Tensor = self._places[name].get_tensor(name)
        return tensor.to(torch.float32).numpy()

    def _shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        for name, file in self._places.items():
            yield name, tuple(file.get_slice(name).get_shape())


def _weight_files(model: Path) -> list[Path]:
    index = model / "model.safetensors.index.json"
    if index.exists():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return [model / name for name in sorted(names)]
    if not (model / "model.safetensors").exists():
        raise ExportError(f"{model}: no model.safetensors; only safetensors can be exported")
    return [model / "model.safetensors"]
