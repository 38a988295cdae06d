"""Large checkpoints that take no room on the disk, and the memory of what is done with them."""

import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from transformers import LlamaConfig

from nativize.artifact import write_json
from nativize.model.checkpoint import INDEX

MB = 1_000_000
EMBEDDING, HEAD = TABLES = ("model.embed_tokens.weight", "lm_head.weight")
Shapes = dict[str, list[int]]

PEAK = """
import sys
from pathlib import Path
import transformers.models.llama.modeling_llama

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if "VmHWM" in line).split()[1]) * 1024
"""


@dataclass(frozen=True)
class Llama:
    """A LLaMA's sizes."""

    rows: int
    wide: int
    inner: int

    def layer(self, number: int) -> Shapes:
        wide, inner = self.wide, self.inner
        shapes = {f"self_attn.{name}_proj": [wide, wide] for name in "qkvo"}
        shapes |= {f"mlp.{name}_proj": [inner, wide] for name in ("gate", "up")}
        shapes |= {"mlp.down_proj": [wide, inner]}
        shapes |= {"input_layernorm": [wide], "post_attention_layernorm": [wide]}
        return {f"model.layers.{number}.{name}.weight": shape for name, shape in shapes.items()}

    def write(self, directory: Path, *, files: int, layers: int) -> Shapes:
        """The model of zeros in bfloat16 in so many files of so many layers each.

        The embedding is in the first file, the head in the last. Returns all shapes by name.
        """
        directory.mkdir()
        config = LlamaConfig(
            vocab_size=self.rows,
            hidden_size=self.wide,
            intermediate_size=self.inner,
            num_hidden_layers=files * layers,
            architectures=["LlamaForCausalLM"],
            dtype="bfloat16",
        )
        write_json(directory / "config.json", config.to_dict())
        shards: list[Shapes] = [{} for _ in range(files)]
        for number in range(files * layers):
            shards[number // layers] |= self.layer(number)
        shards[0][EMBEDDING] = [self.rows, self.wide]
        shards[-1] |= {"model.norm.weight": [self.wide], HEAD: [self.rows, self.wide]}
        names = [f"model-{number + 1:05}-of-{files:05}.safetensors" for number in range(files)]
        for name, shapes in zip(names, shards, strict=True):
            write_zeros(directory / name, shapes)
        places = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        write_json(directory / INDEX, {"metadata": {}, "weight_map": places})
        return {key: shape for shard in shards for key, shape in shard.items()}


def write_zeros(path: Path, shapes: Shapes) -> None:
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


@dataclass(frozen=True)
class Peak:
    """Bytes that a process held, with libraries alone and at its highest."""

    loaded: int
    highest: int

    @property
    def grown(self) -> int:
        return self.highest - self.loaded


ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(MB)}
"""glibc gives back at once what is larger. Left to itself it raises its threshold up to 32 MB and
keeps what fits its heap: equal runs then differ by 35 MB, with it by 1 MB."""


def peak_of(script: str, *arguments: Path) -> Peak:
    """The memory of a process of its own; ``script`` prints ``peak()`` before and after."""
    command = [sys.executable, "-c", PEAK + script, *map(str, arguments)]
    environment = os.environ | ALLOCATOR
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return Peak(*map(int, done.stdout.split()[-2:]))
