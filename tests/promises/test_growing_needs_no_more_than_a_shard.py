"""Promise: a model's tables grow in less memory than its largest shard takes on disk.

A checkpoint of TinyLlama's width in bfloat16, three layers a shard, is extended by 16,000 tokens in
a process of its own. Its peak (VmHWM) beyond what the process had with its libraries loaded is
printed; it does not know how many shards there are.
"""

from dataclasses import asdict
from pathlib import Path

import pytest

from nativize.artifact import write_json
from nativize.model.checkpoint import open_checkpoint
from nativize.vocabulary import Sizes
from nativize.vocabulary.piece_model import Model, append_piece, read_model
from tests.promises.hollow import MB, TABLES, Llama, Peak, peak_of
from tests.vocabulary.composed import write_base

ROWS, NEW = 32_000, 16_000
TINYLLAMA = Llama(rows=ROWS, wide=2_048, inner=5_632)
LAYERS = 3
"""Of a shard."""
IDEOGRAPHS, SIDE = 0x4E00, 300

EXTEND = """
from nativize.artifact import standalone
from nativize.model.extend import extend_model
from nativize.recipe import Extend

base, vocabulary, out = map(Path, sys.argv[1:4])
loaded = peak()
with standalone(out) as place:
    extend_model(base, vocabulary, place, extend=Extend())
print(loaded, peak())
"""


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


def extend(root: Path, tokenizers: Path, count: int) -> tuple[Peak, int]:
    """Memory of growing a checkpoint of so many shards, and the bytes of its largest one."""
    base, out = root / f"base-{count}", root / f"extended-{count}"
    TINYLLAMA.write(base, files=count, layers=LAYERS)
    tokenizer = (tokenizers / "base" / "tokenizer.model").read_bytes()
    (base / "tokenizer.model").write_bytes(tokenizer)
    peak = peak_of(EXTEND, base, tokenizers / "merged", out)
    written = open_checkpoint(out)
    assert len(written.shards) == count
    for name in TABLES:
        assert (written.tensors[name].dtype, written.tensors[name].shape[0]) == ("BF16", ROWS + NEW)
    shards = [path.stat().st_size for path in base.glob("*.safetensors")]
    print(
        f"{count} shards of {sum(shards) / MB:,.0f} MB, the largest"
        f" {max(shards) / MB:.0f} MB: growing takes {peak.grown / MB:.0f} MB"
        f" beyond {peak.loaded / MB:.0f} MB of libraries"
    )
    return peak, max(shards)


def test_growing_needs_less_than_the_largest_shard_however_many_there_are(
    tokenizers: Path, tmp_path: Path
) -> None:
    (few, _), (many, largest) = (extend(tmp_path, tokenizers, count) for count in (2, 8))
    assert many.grown < largest
    assert many.grown - few.grown < 5 * MB
