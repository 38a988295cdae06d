"""Promise: trainings are merged in the memory of the largest tensor and what is added to it.

A checkpoint of LLaMA-7B's width in bfloat16, one layer a file, gets an adapter on all projections
with embedding and head, in a process of its own. Its peak (VmHWM) beyond what the process had with
its libraries loaded is printed; it does not know how many files there are.
"""

import json
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from transformers import LlamaConfig

from nativize.artifact import write_json
from nativize.model.checkpoint import INDEX, open_checkpoint

MB = 1_000_000
ROWS, WIDE, INNER, RANK = 32_000, 4_096, 11_008, 16
TABLES = ("model.embed_tokens.weight", "lm_head.weight")
TENSOR_BYTES = ROWS * WIDE * (2 + 4 + 4 + 2)
"""The largest tensor in the file, in float32, as it was trained, and rounded again."""

MERGE = """
import sys
from pathlib import Path
from nativize.model.merge import write_merged
import transformers.models.llama.modeling_llama

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if "VmHWM" in line).split()[1]) * 1024

model, overlay, out = map(Path, sys.argv[1:])
loaded = peak()
write_merged(model, [overlay], out, lambda source, target: target.hardlink_to(source))
print(loaded, peak())
"""


@dataclass(frozen=True)
class Peak:
    """Bytes that a process held, with libraries alone and at its highest."""

    loaded: int
    highest: int

    @property
    def grown(self) -> int:
        return self.highest - self.loaded


def layer(number: int) -> dict[str, list[int]]:
    shapes = {f"self_attn.{name}_proj": [WIDE, WIDE] for name in "qkvo"}
    shapes |= {f"mlp.{name}_proj": [INNER, WIDE] for name in ("gate", "up")}
    shapes |= {"mlp.down_proj": [WIDE, INNER]}
    shapes |= {"input_layernorm": [WIDE], "post_attention_layernorm": [WIDE]}
    return {f"model.layers.{number}.{name}.weight": shape for name, shape in shapes.items()}


def write_checkpoint(directory: Path, layers: int) -> dict[str, list[int]]:
    """A LLaMA of zeros, embedding in the first file, head in the last; its shapes by names."""
    directory.mkdir()
    config = LlamaConfig(
        vocab_size=ROWS,
        hidden_size=WIDE,
        intermediate_size=INNER,
        num_hidden_layers=layers,
        architectures=["LlamaForCausalLM"],
        dtype="bfloat16",
    )
    write_json(directory / "config.json", config.to_dict())
    shards = [layer(number) for number in range(layers)]
    shards[0][TABLES[0]] = [ROWS, WIDE]
    shards[-1] |= {"model.norm.weight": [WIDE], TABLES[1]: [ROWS, WIDE]}
    names = [f"model-{number + 1:05}-of-{layers:05}.safetensors" for number in range(layers)]
    for name, shapes in zip(names, shards, strict=True):
        write_zeros(directory / name, shapes)
    places = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
    write_json(directory / INDEX, {"metadata": {}, "weight_map": places})
    return {key: shape for shard in shards for key, shape in shard.items()}


def write_zeros(path: Path, shapes: dict[str, list[int]]) -> None:
    """A shard in bfloat16 that takes no room on the disk: behind its header there is a hole."""
    position, header = 0, {}
    for name, shape in shapes.items():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        offsets = [position, position + size]
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": offsets}
        position += size
    content = json.dumps(header).encode()
    with path.open("wb") as shard:
        shard.write(struct.pack("<Q", len(content)) + content)
        shard.truncate(8 + len(content) + position)


def write_overlay(out: Path, shapes: dict[str, list[int]]) -> Path:
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
    overlay = write_overlay(root / f"overlay-{layers}", write_checkpoint(model, layers))
    out.mkdir()
    command = [sys.executable, "-c", MERGE, model, overlay, out]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    peak = Peak(*map(int, done.stdout.split()[-2:]))
    written = open_checkpoint(out)
    assert torch.equal(
        written.load("model.layers.1.mlp.up_proj.weight")[5, :7], torch.full((7,), RANK).bfloat16()
    )
    assert float(written.load(TABLES[1])[-1, -1]) == 1.0
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
