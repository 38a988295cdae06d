"""Promise: trainings are merged in the memory of the largest tensor and what is added to it.

A checkpoint of LLaMA-7B's width in bfloat16, one layer a file, gets an adapter on all projections
with embedding and head, in a process of its own. Its peak (VmHWM) beyond what the process had with
its libraries loaded is printed; it does not know how many files there are.
"""

from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import save_file

from nativize.artifact import write_json
from nativize.model.checkpoint import open_checkpoint
from tests.promises.hollow import HEAD, MB, TABLES, Llama, Peak, Shapes, peak_of

ROWS, WIDE, RANK = 32_000, 4_096, 16
LLAMA_7B = Llama(rows=ROWS, wide=WIDE, inner=11_008)
TENSOR_BYTES = ROWS * WIDE * (2 + 4 + 4 + 2)
"""The largest tensor in the file, in float32, as it was trained, and rounded again."""

MERGE = """
from nativize.model.merge import write_merged

model, overlay, out = map(Path, sys.argv[1:])
loaded = peak()
write_merged(model, [overlay], out, lambda source, target: target.hardlink_to(source))
print(loaded, peak())
"""


def write_overlay(out: Path, shapes: Shapes) -> Path:
    """An adapter of ones on all projections, with embedding and head."""
    (out / "adapter").mkdir(parents=True)
    tensors = {}
    for name, shape in shapes.items():
        module = "base_model.model." + name.removesuffix(".weight")
        if "proj" in name:
            tensors[f"{module}.lora_A.weight"] = torch.ones(RANK, shape[1])
            tensors[f"{module}.lora_B.weight"] = torch.ones(shape[0], RANK)
        elif name in TABLES:
            tensors[f"{module}.weight"] = torch.ones(shape)
    save_file(tensors, out / "adapter" / "adapter_model.safetensors")
    config = LoraConfig(
        r=RANK, lora_alpha=RANK, modules_to_save=["embed_tokens", "lm_head"], target_modules=["-"]
    )
    write_json(
        out / "adapter" / "adapter_config.json", {**config.to_dict(), "target_modules": ["proj"]}
    )
    return out


def merge(root: Path, layers: int) -> Peak:
    model, out = root / f"model-{layers}", root / f"merged-{layers}"
    shapes = LLAMA_7B.write(model, files=layers, layers=1)
    overlay = write_overlay(root / f"overlay-{layers}", shapes)
    out.mkdir()
    peak = peak_of(MERGE, model, overlay, out)
    written = open_checkpoint(out)
    assert torch.equal(
        written.load("model.layers.1.mlp.up_proj.weight")[5, :7], torch.full((7,), RANK).bfloat16()
    )
    assert float(written.load(HEAD)[-1, -1]) == 1.0
    whole = sum(path.stat().st_size for path in model.glob("*.safetensors"))
    print(
        f"{layers} files of {whole / MB:,.0f} MB: libraries {peak.loaded / MB:.0f} MB,"
        f" merging {peak.grown / MB:.0f} MB more"
    )
    for path in (*out.glob("*.safetensors"), *overlay.rglob("*.safetensors")):
        path.unlink()
    return peak


def test_merging_needs_one_tensor_however_many_files_there_are(tmp_path: Path) -> None:
    few, many = (merge(tmp_path, layers) for layers in (2, 12))
    assert many.grown < TENSOR_BYTES
    assert many.grown - few.grown < 50 * MB
