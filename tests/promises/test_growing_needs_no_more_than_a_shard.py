"""Promise: a model's tables grow in less memory than its largest shard takes on disk.

A checkpoint of TinyLlama's width in bfloat16, three layers a shard, is extended by 16,000 tokens in
a process of its own. Its peak (VmHWM) beyond what the process had with its libraries loaded is
printed; it does not know how many shards there are.
"""

import json
import struct
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from transformers import LlamaConfig

from nativize.artifact import write_json
from nativize.model.checkpoint import INDEX, open_checkpoint
from nativize.vocabulary import Sizes
from nativize.vocabulary.piece_model import Model, append_piece, read_model
from tests.vocabulary.composed import write_base

MB = 1_000_000
ROWS, NEW = 32_000, 16_000
WIDE, INNER = 2_048, 5_632
LAYERS = 3
"""Of a shard."""
IDEOGRAPHS, SIDE = 0x4E00, 300

EXTEND = """
import sys
from pathlib import Path
from nativize.artifact import standalone
from nativize.model.extend import extend_model
from nativize.recipe import Extend

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if "VmHWM" in line).split()[1]) * 1024

base, vocabulary, out = map(Path, sys.argv[1:4])
import transformers.models.llama.modeling_llama
loaded = peak()
with standalone(out) as place:
    extend_model(base, vocabulary, place, extend=Extend())
print(loaded, peak())
"""


@dataclass(frozen=True)
class Peak:
    """Bytes that a process held, with libraries alone and at its highest, beside a shard's."""

    loaded: int
    highest: int
    largest_shard: int

    @property
    def grown(self) -> int:
        return self.highest - self.loaded


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``base`` with 32,000 pieces, ``merged`` with 16,000 more."""
    root = tmp_path_factory.mktemp("tokenizers")
    model = read_model(write_base(root / "base") / "tokenizer.model")
    fill(model, ROWS)
    (root / "base" / "tokenizer.model").write_bytes(model.SerializeToString())
    fill(model, ROWS + NEW)
    (root / "merged").mkdir()
    (root / "merged" / "tokenizer.model").write_bytes(model.SerializeToString())
    sizes = Sizes(ROWS, ROWS + NEW, ROWS + NEW, NEW)
    write_json(root / "merged" / "vocabulary.json", asdict(sizes))
    return root


def fill(model: Model, size: int) -> None:
    """Pairs of ideographs up to so many pieces, each ranked below all before it."""
    for number in range(len(model.pieces), size):
        pair = chr(IDEOGRAPHS + number // SIDE) + chr(IDEOGRAPHS + number % SIDE)
        append_piece(model, pair, -float(number))


def write_checkpoint(directory: Path, tokenizers: Path, count: int) -> Path:
    """A LLaMA of zeros in so many shards, the embedding in the first, the head in the last."""
    directory.mkdir()
    config = LlamaConfig(
        vocab_size=ROWS,
        hidden_size=WIDE,
        intermediate_size=INNER,
        num_hidden_layers=count * LAYERS,
        architectures=["LlamaForCausalLM"],
        dtype="bfloat16",
    )
    write_json(directory / "config.json", config.to_dict())
    shards = [layers(range(first, first + LAYERS)) for first in range(0, count * LAYERS, LAYERS)]
    shards[0]["model.embed_tokens.weight"] = [ROWS, WIDE]
    shards[-1] |= {"model.norm.weight": [WIDE], "lm_head.weight": [ROWS, WIDE]}
    names = [f"model-{number + 1:05}-of-{count:05}.safetensors" for number in range(count)]
    for name, shapes in zip(names, shards, strict=True):
        write_zeros(directory / name, shapes)
    places = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
    write_json(directory / INDEX, {"metadata": {}, "weight_map": places})
    (directory / "tokenizer.model").write_bytes(
        (tokenizers / "base" / "tokenizer.model").read_bytes()
    )
    return directory


def layers(numbers: range) -> dict[str, list[int]]:
    """The shapes of some layers."""
    shapes = {f"self_attn.{name}_proj": [WIDE, WIDE] for name in "qkvo"}
    shapes |= {f"mlp.{name}_proj": [INNER, WIDE] for name in ("gate", "up")}
    shapes |= {"mlp.down_proj": [WIDE, INNER]}
    shapes |= {"input_layernorm": [WIDE], "post_attention_layernorm": [WIDE]}
    return {
        f"model.layers.{number}.{name}.weight": shape
        for number in numbers
        for name, shape in shapes.items()
    }


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


def extend(root: Path, tokenizers: Path, count: int) -> Peak:
    base = write_checkpoint(root / f"base-{count}", tokenizers, count)
    out = root / f"extended-{count}"
    command = [sys.executable, "-c", EXTEND, base, tokenizers / "merged", out]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    written = open_checkpoint(out)
    assert len(written.shards) == count
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        assert (written.tensors[name].dtype, written.tensors[name].shape[0]) == ("BF16", ROWS + NEW)
    shards = [path.stat().st_size for path in base.glob("*.safetensors")]
    peak = Peak(*map(int, done.stdout.split()[-2:]), max(shards))
    print(
        f"{count} shards of {sum(shards) / MB:,.0f} MB, the largest"
        f" {peak.largest_shard / MB:.0f} MB: growing takes {peak.grown / MB:.0f} MB"
        f" beyond {peak.loaded / MB:.0f} MB of libraries"
    )
    return peak


def test_growing_needs_less_than_the_largest_shard_however_many_there_are(
    tokenizers: Path, tmp_path: Path
) -> None:
    few, many = (extend(tmp_path, tokenizers, count) for count in (2, 8))
    assert many.grown < many.largest_shard
    assert many.grown - few.grown < 20 * MB
