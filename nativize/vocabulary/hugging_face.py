"""The Hugging Face form of a sentencepiece BPE model, built by hand.

transformers 5 has no slow Llama tokenizer, and its class ranks merges by id instead of score.
Built this way 0 of 4,401 lines (Japanese, Chinese, Tibetan, English, emoji, whitespace) differed.
"""

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

from nativize.artifact import write_atomically, write_json
from nativize.vocabulary.encoder import read_json
from nativize.vocabulary.piece_model import CONTROL, NORMAL, SPACE, UNKNOWN, USER_DEFINED, Model

CARRIED_SETTINGS = ("chat_template", "pad_token", "model_max_length", "padding_side")


def to_hugging_face(model: Model) -> Tokenizer:
    """A tokenizer that cuts text as the sentencepiece model does."""
    spec = model.trainer_spec
    unknown = next(entry.piece for entry in model.pieces if entry.type == UNKNOWN)
    tokenizer = Tokenizer(
        models.BPE(
            vocab={entry.piece: token for token, entry in enumerate(model.pieces)},
            merges=_merges(model),
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=spec.byte_fallback,
        )
    )
    prefix = model.normalizer_spec.add_dummy_prefix
    tokenizer.normalizer = _normalizer(prefix)
    tokenizer.decoder = _decoder(prefix)
    bos = _piece(model, spec.bos_id)
    if bos is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A",
            pair=f"{bos} $A {bos} $B",
            special_tokens=[(bos, spec.bos_id)],
        )
    _add_tokens(tokenizer, model)
    return tokenizer


def save_hugging_face(model: Model, base: Path, out: Path) -> None:
    """``tokenizer.json`` and ``tokenizer_config.json`` of a model in ``out``.

    Args:
        model: the merged model.
        base: the base's directory; its chat template and padding are carried over.
        out: directory to write to.
    """
    tokenizer = to_hugging_face(model)
    text = tokenizer.to_str(pretty=True)
    write_atomically(out / "tokenizer.json", lambda path: path.write_text(text, encoding="utf-8"))
    write_json(out / "tokenizer_config.json", _config(model, base))
    template = base / "chat_template.jinja"
    if template.exists():
        (out / template.name).write_bytes(template.read_bytes())


def _merges(model: Model) -> list[tuple[str, str]]:
    """Every way to make a piece of two others, best score first, then lowest id."""
    joinable = {entry.piece for entry in model.pieces if entry.type == NORMAL}
    ranked = sorted(
        ((-entry.score, token, entry.piece) for token, entry in enumerate(model.pieces)),
    )
    return [
        (piece[:cut], piece[cut:])
        for _, _, piece in ranked
        if piece in joinable
        for cut in range(1, len(piece))
        if piece[:cut] in joinable and piece[cut:] in joinable
    ]


def _normalizer(prefix: bool) -> Any:
    replace = normalizers.Replace(" ", SPACE)
    return normalizers.Sequence([normalizers.Prepend(SPACE), replace]) if prefix else replace


def _decoder(prefix: bool) -> Any:
    steps = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if prefix else steps)


def _add_tokens(tokenizer: Tokenizer, model: Model) -> None:
    for entry in model.pieces:
        if entry.type in (UNKNOWN, CONTROL):
            token = AddedToken(entry.piece, normalized=False, special=True)
            tokenizer.add_special_tokens([token])
        elif entry.type == USER_DEFINED:
            tokenizer.add_tokens([AddedToken(entry.piece, normalized=False, special=False)])


def _config(model: Model, base: Path) -> dict[str, Any]:
    spec = model.trainer_spec
    unknown = _piece(model, spec.unk_id)
    carried = read_json(base / "tokenizer_config.json")
    config = {name: carried[name] for name in CARRIED_SETTINGS if name in carried}
    return {
        # not eos: padding is masked in training, and the model must learn to stop
        "pad_token": unknown,
        **config,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": _piece(model, spec.bos_id),
        "eos_token": _piece(model, spec.eos_id),
        "unk_token": unknown,
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
    }


def _piece(model: Model, token: int) -> str | None:
    return model.pieces[token].piece if token >= 0 else None
