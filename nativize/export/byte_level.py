"""A byte-level BPE tokenizer as llama.cpp wants it: tokens by id, their types, merges, its name.

llama.cpp takes the way to cut text into words out of its own code, by the name that a file
gives in ``tokenizer.ggml.pre``: only tokenizers whose regex has such a name can be exported.

Source of names and regexes: llama.cpp, src/llama-vocab.cpp, which quotes those of tokenizer.json.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
from tokenizers import Tokenizer

from nativize.errors import ExportError
from nativize.vocabulary.encoder import read_json

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
NAMES = {
    (GPT2, False): "gpt-2",
    (LLAMA3, True): "llama-bpe",
    # the same regex; only under this name llama.cpp keeps to the merges
    (LLAMA3, False): "smaug-bpe",
    (QWEN2, False): "qwen2",
}
"""Regex and whether whole words are looked up before merging → ``tokenizer.ggml.pre``."""

NORMALIZERS = ({"type": "NFC"},)
"""llama.cpp normalises nothing; text that is not NFC is counted when the file is compared."""
FILLER = re.compile(r"<filler_\d+>")
LETTER = "a"
"""Any text, to see what the tokenizer puts around it."""


@dataclass(frozen=True)
class ByteLevel:
    """What a GGUF file says of a byte-level tokenizer.

    Attributes:
        tokens: by id, one for each row of the model.
        kinds: llama.cpp's type of each token.
        merges: by rank, both parts joined by a space.
        pre: llama.cpp's name of the pre-tokeniser.
        named: bos, eos, unk and pad, as far as the tokenizer has them, with their ids.
        adds_bos: whether text begins with BOS.
        adds_eos: whether text ends with EOS.
    """

    tokens: list[str]
    kinds: list[int]
    merges: list[str]
    pre: str
    named: dict[str, int]
    adds_bos: bool
    adds_eos: bool


def read_byte_level(directory: Path, rows: int) -> ByteLevel:
    """The byte-level tokenizer of a directory, for a model of so many rows.

    Raises:
        ExportError: it is of another kind, or llama.cpp would cut text in another way.
    """
    path = directory / "tokenizer.json"
    described = read_json(path)
    _require_plain_bpe(described, path)
    _require_known_normalizer(described.get("normalizer"), path)
    pre = _name(described, path)
    tokens, kinds = _tokens(described, rows, path)
    named = _named(directory, {token: number for number, token in enumerate(tokens)})
    adds_bos, adds_eos = _added_around(path, named)
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in _merges(described)]
    return ByteLevel(tokens, kinds, merges, pre, named, adds_bos, adds_eos)


def _merges(described: Mapping[str, Any]) -> list[Any]:
    merges: list[Any] = described["model"]["merges"]
    return merges


def _require_plain_bpe(described: Mapping[str, Any], path: Path) -> None:
    model = described.get("model", {})
    if model.get("type") != "BPE":
        raise ExportError(
            f"{path}: a tokenizer of kind {model.get('type')!r}; GGUF is written for byte-level"
            " BPE and, from tokenizer.model, for sentencepiece BPE today. Nothing was published."
        )
    features = ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")
    used = [name for name in (*features, "byte_fallback") if model.get(name)]
    if used:
        raise ExportError(
            f"{path}: the BPE model uses {', '.join(used)}, which byte-level BPE in llama.cpp"
            " has not. Export from tokenizer.model if the base has one."
        )


def _require_known_normalizer(normalizer: Any, path: Path) -> None:
    steps = normalizer["normalizers"] if _is(normalizer, "Sequence") else [normalizer]
    unknown = [step for step in steps if step is not None and step not in NORMALIZERS]
    if unknown:
        raise ExportError(
            f"{path}: the normalizer {unknown[0]} has no counterpart in llama.cpp, which would cut"
            " other text; it can be exported with none or with NFC. Choose another base, or"
            " normalise the text before and take the normalizer out of tokenizer.json."
        )


def _name(described: Mapping[str, Any], path: Path) -> str:
    pattern = _pattern(described.get("pre_tokenizer"), path)
    whole_words = bool(described["model"].get("ignore_merges"))
    name = NAMES.get((pattern, whole_words))
    if name is None:
        known = "\n".join(f"  {kind}: {regex!r}, {flag}" for (regex, flag), kind in NAMES.items())
        raise ExportError(
            f"{path}: text is cut by the regex {pattern!r} with ignore_merges {whole_words}, which"
            " this export has no name for in llama.cpp. Known (regex, ignore_merges):\n"
            f"{known}\nChoose a base of one of these kinds, or convert the model with llama.cpp's"
            " convert_hf_to_gguf.py, which knows more names."
        )
    return name


def _pattern(pre: Any, path: Path) -> str:
    """The one regex of a pre-tokeniser that ends in bytes."""
    steps = pre["pretokenizers"] if _is(pre, "Sequence") else [pre]
    *splits, last = steps
    plain = _is(last, "ByteLevel") and not last.get("add_prefix_space", True)
    if plain and not splits and last.get("use_regex", True):
        return GPT2
    if plain and len(splits) == 1 and not last.get("use_regex", True) and _isolates(splits[0]):
        regex: str = splits[0]["pattern"]["Regex"]
        return regex
    raise ExportError(
        f"{path}: the pre-tokeniser {pre} is not one that llama.cpp knows: ByteLevel with its own"
        " regex, or one isolating Split by a regex and then ByteLevel, both without"
        " add_prefix_space. Choose another base, or convert the model with llama.cpp's"
        " convert_hf_to_gguf.py."
    )


def _isolates(step: Any) -> bool:
    by_regex = _is(step, "Split") and "Regex" in step["pattern"]
    return by_regex and step["behavior"] == "Isolated" and not step["invert"]


def _is(step: Any, kind: str) -> bool:
    return isinstance(step, dict) and step.get("type") == kind


def _tokens(described: Mapping[str, Any], rows: int, path: Path) -> tuple[list[str], list[int]]:
    """Tokens and types of all rows; a row that no text reaches is named and UNUSED."""
    kinds = {
        token: (number, gguf.TokenType.NORMAL)
        for token, number in described["model"]["vocab"].items()
    }
    for added in described.get("added_tokens", []):
        kinds[added["content"]] = (added["id"], _kind_of_added(added, path))
    last = max((number for number, _ in kinds.values()), default=-1)
    if last >= rows:
        raise ExportError(
            f"{path}: the tokenizer goes up to id {last}, but the model has {rows} rows;"
            " extend the model to its vocabulary first"
        )
    tokens = [f"<row_{number}>" for number in range(rows)]
    types = [int(gguf.TokenType.UNUSED)] * rows
    for token, (number, kind) in kinds.items():
        tokens[number] = token
        types[number] = int(gguf.TokenType.UNUSED if FILLER.fullmatch(token) else kind)
    return tokens, types


def _kind_of_added(added: Mapping[str, Any], path: Path) -> gguf.TokenType:
    if added["special"]:
        return gguf.TokenType.CONTROL
    used = [name for name in ("single_word", "lstrip", "rstrip") if added.get(name)]
    if used:
        raise ExportError(
            f"{path}: the added token {added['content']!r} uses {', '.join(used)}, which a GGUF"
            " file cannot say; make it special or take it out of added_tokens"
        )
    return gguf.TokenType.USER_DEFINED


def _named(directory: Path, ids: Mapping[str, int]) -> dict[str, int]:
    config = read_json(directory / "tokenizer_config.json")
    named = {}
    for name in ("bos", "eos", "unk", "pad"):
        token = config.get(f"{name}_token")
        content = token["content"] if isinstance(token, dict) else token
        if content is not None and content in ids:
            named[name] = ids[content]
    if "eos" not in named:
        raise ExportError(
            f"{directory / 'tokenizer_config.json'}: no eos_token that the tokenizer has;"
            " llama.cpp would end texts at id 11 instead. Name it there"
        )
    return named


def _added_around(path: Path, named: Mapping[str, int]) -> tuple[bool, bool]:
    """Whether the tokenizer puts BOS before and EOS after a text."""
    tokenizer = Tokenizer.from_file(str(path))
    bare = tokenizer.encode(LETTER, add_special_tokens=False).ids
    ids = tokenizer.encode(LETTER).ids
    bos, eos = ([named[name]] if name in named else [] for name in ("bos", "eos"))
    for adds_bos in (False, True):
        for adds_eos in (False, True):
            if ids == [*bos * adds_bos, *bare, *eos * adds_eos]:
                return adds_bos, adds_eos
    raise ExportError(
        f"{path}: the post-processor makes {ids} of the text {LETTER!r}, {bare} without it; a GGUF"
        f" file can only say whether BOS {bos} is put before and EOS {eos} after it"
    )
