"""Shapes of published models, so that a plan needs no download.

Sources: the models' config.json as repeated in litgpt's config.py and torchtune's model builders.
The number of parameters beside each is what its shapes come to; a test counts them.
"""

from nativize.budget.shapes import ATTENTION, Shapes

QKV = ATTENTION[:3]


def _llama(layers: int, hidden: int, intermediate: int, heads: int) -> Shapes:
    return Shapes(32_000, hidden, intermediate, layers, heads, heads, hidden // heads)


def _grouped(vocabulary: int) -> Shapes:
    """8B with 8 heads of keys: Llama 3 and, with its own vocabulary, Mistral 7B."""
    return Shapes(vocabulary, 4096, 14_336, 32, 32, 8, 128)


def _qwen2(layers: int, hidden: int, wide: int, heads: int, keys: int, *, tied: bool) -> Shapes:
    rows = 151_936 if tied else 152_064
    return Shapes(rows, hidden, wide, layers, heads, keys, hidden // heads, tied, QKV)


def _qwen3(layers: int, hidden: int, wide: int, heads: int, *, tied: bool) -> Shapes:
    return Shapes(151_936, hidden, wide, layers, heads, 8, 128, tied, query_key_norms=True)


TINYLLAMA = Shapes(32_000, 2048, 5632, 22, 32, 4, 64, weight_bytes=4)

PUBLISHED: dict[str, Shapes] = {
    "TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T": TINYLLAMA,  # 1,100,048,384
    "huggyllama/llama-7b": _llama(32, 4096, 11_008, 32),  # 6,738,415,616
    "meta-llama/Llama-2-7b-hf": _llama(32, 4096, 11_008, 32),
    "meta-llama/Llama-2-13b-hf": _llama(40, 5120, 13_824, 40),  # 13,015,864,320
    "mistralai/Mistral-7B-v0.1": _grouped(32_000),  # 7,241,732,096
    "meta-llama/Meta-Llama-3-8B": _grouped(128_256),  # 8,030,261,248
    "meta-llama/Llama-3.1-8B": _grouped(128_256),
    "meta-llama/Meta-Llama-3.1-8B": _grouped(128_256),
    "Qwen/Qwen2.5-0.5B": _qwen2(24, 896, 4864, 14, 2, tied=True),  # 494,032,768
    "Qwen/Qwen2.5-1.5B": _qwen2(28, 1536, 8960, 12, 2, tied=True),  # 1,543,714,304
    "Qwen/Qwen2.5-7B": _qwen2(28, 3584, 18_944, 28, 4, tied=False),  # 7,615,616,512
    "Qwen/Qwen3-0.6B-Base": _qwen3(28, 1024, 3072, 16, tied=True),  # 596,049,920
    "Qwen/Qwen3-1.7B-Base": _qwen3(28, 2048, 6144, 16, tied=True),  # 1,720,574,976
    "Qwen/Qwen3-4B-Base": _qwen3(36, 2560, 9728, 32, tied=True),  # 4,022,468,096
    "Qwen/Qwen3-8B-Base": _qwen3(36, 4096, 12_288, 32, tied=False),  # 8,190,735,360
}
"""By hub id."""
