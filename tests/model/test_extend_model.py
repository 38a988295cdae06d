"""Growing embedding and head: old rows to the bit, new rows where their pieces are."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nativize.artifact import standalone
from nativize.model.directory import load_model
from nativize.model.extend import extend_model, old_pieces
from nativize.recipe import Extend
from nativize.vocabulary import load_encoder, read_sizes
from tests.model.tiny import Tiny, write_variant

TABLES = ("model.embed_tokens.weight", "lm_head.weight")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_old_rows_are_equal_to_the_bit_in_the_checkpoints_dtype(
    tiny: Tiny, tmp_path: Path, dtype: torch.dtype
) -> None:
    variant = write_variant(tiny, tmp_path, dtype=dtype, tied=False)
    old = load_file(variant.base / "model.safetensors")
    new = load_file(variant.extended / "model.safetensors")
    assert {tensor.dtype for tensor in new.values()} == {dtype}
    for name in TABLES:
        assert torch.equal(new[name][:400].view(torch.uint8), old[name].view(torch.uint8))
    assert all(torch.equal(new[name], old[name]) for name in old.keys() - set(TABLES))


def test_every_size_is_the_merged_vocabularys(tiny: Tiny) -> None:
    sizes = read_sizes(tiny.vocabulary)
    model = load_model(tiny.extended)
    assert model.config.vocab_size == sizes.padded_size == load_encoder(tiny.extended).size
    assert model.get_output_embeddings().weight.shape[0] == sizes.padded_size


def test_a_new_token_starts_at_the_mean_of_its_old_pieces(tiny: Tiny) -> None:
    sizes = read_sizes(tiny.vocabulary)
    pieces = old_pieces(tiny.base, tiny.vocabulary, sizes)
    new = load_file(tiny.extended / "model.safetensors")
    for name in TABLES:
        rows = new[name][sizes.base_size : sizes.size]
        expected = torch.stack([new[name][ids].mean(0) for ids in pieces])
        assert torch.equal(rows, expected)


def test_old_pieces_spell_the_new_token_without_an_added_space(tiny: Tiny) -> None:
    sizes = read_sizes(tiny.vocabulary)
    base, merged = load_encoder(tiny.base), load_encoder(tiny.vocabulary)
    newline = base.encode(["\n"])[0]
    pieces = old_pieces(tiny.base, tiny.vocabulary, sizes)
    for token, ids in zip(range(sizes.base_size, sizes.size), pieces, strict=True):
        surface = merged.decode([[*newline, token]])[0]
        assert base.decode([[*newline, *ids]])[0] == surface


def test_fillers_stand_at_the_mean(tiny: Tiny) -> None:
    sizes = read_sizes(tiny.vocabulary)
    assert sizes.padded_size > sizes.size
    table = load_file(tiny.extended / "model.safetensors")[TABLES[0]]
    fillers = table[sizes.size :]
    mean = table[: sizes.base_size].double().mean(0).float()
    assert torch.equal(fillers, mean.expand_as(fillers))


def test_random_rows_repeat_with_their_seed(tiny: Tiny, tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        with standalone(tmp_path / name) as place:
            extend = Extend(initialiser="random", seed=7)
            extend_model(tiny.base, tiny.vocabulary, place, extend=extend)
        digests.add((tmp_path / name / "model.safetensors").read_bytes())
    assert len(digests) == 1


def test_a_tied_model_stays_tied(tiny: Tiny, tmp_path: Path) -> None:
    variant = write_variant(tiny, tmp_path, dtype=torch.float32, tied=True)
    model = load_model(variant.extended)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert "lm_head.weight" not in load_file(variant.extended / "model.safetensors")


def test_the_model_says_the_same_about_old_tokens(tiny: Tiny) -> None:
    ids = torch.arange(3, 60).view(1, -1)
    with torch.no_grad():
        old = load_model(tiny.base)(input_ids=ids).logits
        new = load_model(tiny.extended)(input_ids=ids).logits[..., :400]
    assert torch.equal(old, new)
