"""Whether a GGUF file is the model: the same ids, and the same next tokens.

llama.cpp continues each prompt greedily; transformers then reads prompt and continuation once
and says how good each chosen token is to it. Equal models choose tokens of gap 0; a wrong
rotation of query and key shows as gaps of whole logits.

llama.cpp normalises no text, and its tables of Unicode are a few years old. Where it therefore cut
text otherwise with the base's tokenizer already, that is counted and is no fault of the file.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from nativize.errors import ExportError
from nativize.export.base_cuts import cut_differently_by_base
from nativize.export.llama_server import LlamaServer
from nativize.vocabulary.encoder import Encoder, HuggingFaceEncoder, load_encoder

PROMPT_TOKENS = 24
CONTINUED_TOKENS = 8
EXACT = ("f32", "f16")
LARGEST_GAP = 0.1
"""Logits between transformers' best token and llama.cpp's; float16 rounds 16 by 0.008."""
LARGEST_DIFFERENCE = 0.1
"""Between log-probabilities. Measured on an F32 file: logits differed by 1.3e-2 at most."""


@dataclass(frozen=True)
class Parity:
    """How a GGUF file compares with the model it was made from.

    Attributes:
        texts: texts that both tokenizers cut.
        texts_cut_differently: of these, with other ids for no reason that is known.
        texts_not_normalised: of these, with other ids because llama.cpp did not normalise them.
        texts_base_cuts_differently: of these, with other ids, as with the base's tokenizer.
        tokens: continued greedily by llama.cpp.
        tokens_greedy: of these, transformers' own first choice.
        gap: most logits that a chosen token lies below transformers' best.
        difference: most that the log-probabilities of chosen tokens differ.
        example: the first text that was cut differently for no reason.
    """

    texts: int
    texts_cut_differently: int
    texts_not_normalised: int
    texts_base_cuts_differently: int
    tokens: int
    tokens_greedy: int
    gap: float
    difference: float
    example: str

    def figures(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "example"}

    def require(self, gguf: Path, quantisation: str) -> None:
        """Nothing, when the file equals the model as far as its quantisation can.

        Raises:
            ExportError: other ids, or in an exact type another choice of tokens.
        """
        if self.texts_cut_differently:
            raise ExportError(
                f"{gguf}: llama.cpp cuts {self.texts_cut_differently} of {self.texts} texts"
                f" differently, though not with the base's tokenizer, first: {self.example!r}."
                " Nothing was published."
            )
        exact = quantisation in EXACT
        if exact and not (self.gap <= LARGEST_GAP and self.difference <= LARGEST_DIFFERENCE):
            raise ExportError(
                f"{gguf}: llama.cpp continues otherwise than the model (gap {self.gap:.3f} logits,"
                f" log-probabilities differ by {self.difference:.3f}). Nothing was published."
            )


class Reference:
    """The model in transformers, float32 on the CPU, and its tokenizer."""

    def __init__(self, model: Path) -> None:
        from transformers import AutoModelForCausalLM

        self.directory = model
        self.encoder: Encoder = load_encoder(model)
        self._model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()

    def prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """The beginnings of texts as ids, with BOS where the vocabulary has one."""
        before = [self.encoder.bos] if self.encoder.bos is not None else []
        encoded = self.encoder.encode(texts)
        return [[*before, *ids[:PROMPT_TOKENS]] for ids in encoded if ids]

    def normalised(self, text: str) -> str:
        """The text as the tokenizer's model sees it, where Hugging Face tells."""
        if not isinstance(self.encoder, HuggingFaceEncoder):
            return text
        normalizer = self.encoder.tokenizer.normalizer
        return normalizer.normalize_str(text) if normalizer else text

    def cut_differently_by_base(self, texts: Sequence[str]) -> list[str]:
        """Of the texts, those that llama.cpp cut otherwise before pieces were added."""
        if not isinstance(self.encoder, HuggingFaceEncoder):
            return []  # sentencepiece and llama.cpp must agree on all text
        return cut_differently_by_base(self.directory, texts)

    def judge(self, prompt: list[int], chosen: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Per chosen token: logits below the best one, and its log-probability."""
        ids = torch.tensor([prompt + chosen])
        with torch.inference_mode():
            logits = self._model(ids).logits[0, len(prompt) - 1 : -1].float()
        picked = torch.tensor(chosen)[:, None]
        gaps = logits.max(dim=-1).values - logits.gather(1, picked)[:, 0]
        return gaps, logits.log_softmax(dim=-1).gather(1, picked)[:, 0]


def compare(gguf: Path, reference: Reference, texts: Sequence[str], prompts: int) -> Parity:
    """The parity of a file on texts, the first ``prompts`` of which are continued too.

    Raises:
        ExportError: llama.cpp cannot load the file.
    """
    gaps, differences = [torch.zeros(0)], [torch.zeros(1)]
    with LlamaServer(gguf) as server:
        cut, plain = _cut_differently(server, reference, texts)
        for prompt in reference.prompts(texts[:prompts]):
            chosen, theirs = _continue(server, prompt)
            gap, ours_probable = reference.judge(prompt, chosen)
            gaps.append(gap)
            if theirs:
                differences.append((ours_probable - torch.tensor(theirs)).abs())
    excused = set(reference.cut_differently_by_base(cut))
    broken = [text for text in cut if text not in excused]
    all_gaps = torch.cat(gaps)
    if not len(all_gaps):
        raise ExportError(f"{gguf}: there is no held-out text to compare it with")
    return Parity(
        texts=len(texts),
        texts_cut_differently=len(broken),
        texts_not_normalised=plain,
        texts_base_cuts_differently=len(cut) - len(broken),
        tokens=len(all_gaps),
        tokens_greedy=int((all_gaps == 0).sum()),
        gap=round(float(all_gaps.max()), 3),
        difference=round(float(torch.cat(differences).max()), 3),
        example=broken[0] if broken else "",
    )


def _cut_differently(
    server: LlamaServer, reference: Reference, texts: Sequence[str]
) -> tuple[list[str], int]:
    """Texts of other ids, and how many more have them only for want of normalisation."""
    cut, plain = [], 0
    for text, ids in zip(texts, reference.encoder.encode(texts), strict=True):
        if server.tokenise(text) == ids:
            continue
        normalised = reference.normalised(text)
        if normalised != text and server.tokenise(normalised) == ids:
            plain += 1
        else:
            cut.append(normalised)
    return cut, plain


def _continue(server: LlamaServer, prompt: list[int]) -> tuple[list[int], list[float]]:
    """Tokens that llama.cpp chooses greedily, and their log-probabilities to it.

    It reports none for bytes within a character, and leaves the list out where all are such; then
    the list of probabilities is empty.
    """
    answer = server.complete(
        prompt,
        CONTINUED_TOKENS,
        temperature=0.0,
        repeat_penalty=1.0,
        n_probs=1,
        cache_prompt=False,
    )
    chosen: list[int] = answer["tokens"]
    steps = answer.get("completion_probabilities", [])
    aligned = [step["id"] for step in steps] == chosen
    return chosen, [step["logprob"] for step in steps] if aligned else []
