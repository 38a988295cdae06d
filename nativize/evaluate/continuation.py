"""How each model goes on from a beginning: greedily, and sampled with a fixed seed.

Settings of Chinese-LLaMA-2's chat script: repeat penalty 1.1, temperature .5, top-k 40, top-p .9.
"""

from dataclasses import dataclass
from typing import Any

import torch

from nativize.vocabulary import Encoder

SEED = 1
REPEAT_PENALTY = 1.1


@dataclass(frozen=True)
class Continuation:
    """What one model made of one beginning."""

    prompt: str
    greedy: str
    sampled: str


def continue_prompt(model: Any, encoder: Encoder, prompt: str, tokens: int) -> Continuation:
    """Two continuations of at most ``tokens`` tokens."""
    greedy = _generate(model, encoder, prompt, tokens, do_sample=False)
    torch.manual_seed(SEED)
    sampled = _generate(
        model, encoder, prompt, tokens, do_sample=True, temperature=0.5, top_k=40, top_p=0.9
    )
    return Continuation(prompt, greedy, sampled)


def _generate(model: Any, encoder: Encoder, prompt: str, tokens: int, **how: Any) -> str:
    start = [] if encoder.bos is None else [encoder.bos]
    ids = torch.tensor([[*start, *encoder.encode([prompt])[0]]], device=model.device)
    with torch.no_grad():
        made = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            repetition_penalty=REPEAT_PENALTY,
            eos_token_id=encoder.eos,
            pad_token_id=encoder.eos if encoder.eos is not None else 0,
            **how,
        )[0].tolist()
    whole = encoder.decode([[token for token in made[len(start) :] if token != encoder.eos]])[0]
    return whole.removeprefix(prompt)
