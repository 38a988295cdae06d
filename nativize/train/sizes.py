"""Sizes that a training is made with and its plan is reckoned with. No torch here."""

CHUNK_BYTES = {"cpu": 32 << 20, "cuda": 512 << 20}
"""Of float32 logits at once: enough to keep the multiplications efficient."""

BUCKET = 200_000_000
"""Numbers that DeepSpeed gathers or reduces at once: 400 MB in bf16, 20 ms on PCIe 4."""


def chunk_rows(device: str, vocabulary: int) -> int:
    """Tokens whose logits are made at once.

    Args:
        device: cpu or cuda.
        vocabulary: rows of the head.
    """
    return max(1, CHUNK_BYTES[device] // (4 * vocabulary))
