"""Promise: a stage whose output changes for equal input has a new VERSION, and the reverse.

The tiny road's inputs and outputs are recorded with their versions in golden.json. Output changed
without a bump, or a bump without a change: the test fails and says which. `make golden` records
anew. Trained numbers differ in their last bits between machines: they are held to a tolerance.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nativize.artifact import Artifact
from nativize.road import road
from tests.traveller import Traveller

GOLDEN = Path(__file__).with_name("golden.json")
TOLERANCE = 0.02
NUMERIC = {
    "base_model": ("final_loss",),
    "extended_model": (),
    "embedding_checkpoints": ("final_loss",),
    "lora_checkpoints": ("final_loss",),
    "pretrained_model": (),
    "sft_checkpoints": ("final_loss",),
    "sft_model": (),
    "gguf_export": (),
    "evaluation_report": ("bits_per_byte_new_pretrained_model", "bits_per_byte_old_base_model"),
}
"""Stages behind a training: these metrics, and the names and sizes of their files."""


def observed(traveller: Traveller) -> dict[str, dict[str, Any]]:
    stages = road(traveller.recipe)
    return {
        name: {"version": stage.version, **_made(name, traveller.store.current(name))}
        for name, stage in stages.items()
    }


def _made(name: str, artifact: Artifact) -> dict[str, Any]:
    """Output and inputs; what is trained differs in its last bits, so it is no input here."""
    inputs = artifact.record.payload["inputs"]
    exact = {key: digest for key, digest in inputs.items() if key not in NUMERIC}
    return {"inputs": exact, **_output(name, artifact)}


def _output(name: str, artifact: Artifact) -> dict[str, Any]:
    if name not in NUMERIC:
        return {"content": artifact.content}
    tensors = {n: f["bytes"] for n, f in artifact.record.files.items() if "safetensors" in n}
    return {"tensors": tensors, "figures": {m: artifact.metrics[m] for m in NUMERIC[name]}}


def _equal(old: dict[str, Any], new: dict[str, Any]) -> bool:
    if "figures" not in new:
        return old["content"] == new["content"]
    return old["tensors"] == new["tensors"] and old["figures"] == pytest.approx(
        new["figures"], rel=TOLERANCE
    )


def complaints(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What one stage did wrong between its recorded and its present output."""
    same, bumped = _equal(old, new), old["version"] != new["version"]
    if bumped:
        return ["its version was raised, its output is the same: take it back"] if same else []
    if same or old["inputs"] != new["inputs"]:  # other inputs may well make another output
        return []
    return ["its output changed: raise its Stage version, then make golden"]


def test_every_stage_has_the_output_recorded_for_its_version(traveller: Traveller) -> None:
    now = observed(traveller)
    golden = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else now
    wrong = [
        f"{name}: {complaint}"
        for name in golden.keys() & now.keys()
        for complaint in complaints(golden[name], now[name])
    ]
    assert not wrong, "\n".join(sorted(wrong))
    if os.environ.get("NATIVIZE_RECORD_GOLDEN"):
        GOLDEN.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        golden = now
    versions = {name: entry["version"] for name, entry in now.items()}
    recorded = {name: entry["version"] for name, entry in golden.items()}
    assert versions == recorded, "stages or versions came or went: make golden"


@pytest.mark.parametrize(
    ("version", "inputs", "content", "complaint"),
    [
        (1, {}, "a", ""),
        (2, {}, "b", ""),
        (1, {}, "b", "raise its Stage version"),
        (2, {}, "a", "take it back"),
        (1, {"x": "other"}, "b", ""),
    ],
)
def test_output_and_version_change_together(
    version: int, inputs: dict[str, str], content: str, complaint: str
) -> None:
    old: dict[str, Any] = {"version": 1, "inputs": {}, "content": "a"}
    new = {"version": version, "inputs": inputs, "content": content}
    assert complaint in " ".join(complaints(old, new)) if complaint else not complaints(old, new)
