"""The loss without logits is the loss of the logits, and documents of a sample do not meet."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from nativize.tokens.packing import IGNORED
from nativize.train.loss import LanguageModelLoss, LossHead, install_loss_head
from nativize.train.sizes import CHUNK_BYTES


def model(**settings: Any) -> LlamaForCausalLM:
    torch.manual_seed(3)
    shapes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=101, **shapes, **heads, **settings))


def batch(*rows: list[int], ignored: int = 0) -> dict[str, torch.Tensor]:
    ids = torch.tensor(rows)
    labels = ids.clone()
    labels[:, :ignored] = IGNORED
    return {
        "input_ids": ids,
        "labels": labels,
        "position_ids": torch.arange(ids.shape[1]).expand_as(ids),
    }


def plain_loss(model: Any, given: dict[str, torch.Tensor]) -> torch.Tensor:
    logits = model(input_ids=given["input_ids"]).logits[:, :-1]
    return functional.cross_entropy(
        logits.flatten(0, 1), given["labels"][:, 1:].flatten(), reduction="sum"
    )


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("frozen_head", [False, True])
@pytest.mark.parametrize("chunk_rows", [1, 5, 1000])
def test_loss_and_gradients_are_those_of_the_logits(
    monkeypatch: pytest.MonkeyPatch, tied: bool, frozen_head: bool, chunk_rows: int
) -> None:
    monkeypatch.setitem(CHUNK_BYTES, "cpu", chunk_rows * 101 * 4)
    ours, plain = model(tie_word_embeddings=tied), model(tie_word_embeddings=tied)
    for one in (ours, plain):
        one.lm_head.requires_grad_(not frozen_head)
    given = batch([1, 5, 9, 13, 17, 100], [2, 4, 6, 8, 10, 12], ignored=2)
    install_loss_head(ours)
    got, wanted = LanguageModelLoss(ours)(**given), plain_loss(plain, given)
    (got * 0.5).backward()
    (wanted * 0.5).backward()
    assert float(got) == pytest.approx(float(wanted), rel=1e-6)
    for (name, a), b in zip(ours.named_parameters(), plain.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None and b.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


def test_a_head_with_a_bias_learns_it_too() -> None:
    torch.manual_seed(0)
    head, plain = nn.Linear(8, 11), nn.Linear(8, 11)
    plain.load_state_dict(head.state_dict())
    head.__class__ = LossHead
    hidden, targets = torch.randn(2, 3, 8), torch.randint(0, 11, (2, 3))
    head(hidden, targets=targets).backward()
    logits = plain(hidden).flatten(0, 1)
    functional.cross_entropy(logits, targets.flatten(), reduction="sum").backward()
    torch.testing.assert_close(head.bias.grad, plain.bias.grad)
    torch.testing.assert_close(head.weight.grad, plain.weight.grad)


def test_a_batch_without_a_label_costs_nothing_and_moves_nothing() -> None:
    ours = model()
    install_loss_head(ours)
    value = LanguageModelLoss(ours)(**batch([1, 2, 3], ignored=3))
    value.backward()
    assert float(value) == 0
    assert all(float(p.grad.abs().sum()) == 0 for p in ours.parameters() if p.grad is not None)


def test_a_head_that_scales_its_logits_keeps_its_own_way() -> None:
    ours = model()
    ours.config.model_type = "granite"
    install_loss_head(ours)
    given = batch([1, 5, 9, 13])
    assert type(ours.lm_head) is nn.Linear
    assert float(LanguageModelLoss(ours)(**given)) == pytest.approx(float(plain_loss(ours, given)))


def test_documents_of_one_sample_do_not_see_each_other() -> None:
    ours = model().eval()
    install_loss_head(ours)
    documents = [[1, 50, 51, 52, 2], [1, 60, 2], [1, 70, 71, 2]]
    alone = sum(float(LanguageModelLoss(ours)(**batch(document))) for document in documents)
    ids = torch.tensor([[token for document in documents for token in document]])
    positions = torch.cat([torch.arange(len(document)) for document in documents])[None]
    labels = torch.where(positions == 0, IGNORED, ids)
    together = LanguageModelLoss(ours)(input_ids=ids, labels=labels, position_ids=positions)
    assert float(together) == pytest.approx(alone, rel=1e-5)
    crossing = LanguageModelLoss(ours)(
        input_ids=ids, labels=labels, position_ids=torch.arange(ids.shape[1])[None]
    )
    assert abs(float(crossing) - alone) > 1e-3
