"""Which characters are letters, and to which languages' script they belong."""

import re

# letters, and the marks that Python's \w leaves out in scripts where vowels are marks
LETTERS = re.compile(
    "[^\\W\\d_\u0900-\u109f\u1780-\u17ff]+|[\u0900-\u0f1f\u0f35-\u109f\u1780-\u17ff]+"
)
HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
SCRIPTS = {
    "ja": f"\u3041-\u30ff\uff66-\uff9f{HAN}",
    "zh": HAN,
    "ko": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3",
    "bo": "\u0f00-\u0fff",
    "dz": "\u0f00-\u0fff",
    "hi": "\u0900-\u097f",
    "bn": "\u0980-\u09ff",
    "ta": "\u0b80-\u0bff",
    "th": "\u0e00-\u0e7f",
    "my": "\u1000-\u109f",
    "km": "\u1780-\u17ff",
    "ka": "\u10a0-\u10ff",
    "hy": "\u0530-\u058f",
    "he": "\u0590-\u05ff",
    "ar": "\u0600-\u06ff\u0750-\u077f",
    "fa": "\u0600-\u06ff\u0750-\u077f",
    "ur": "\u0600-\u06ff\u0750-\u077f",
    "ru": "\u0400-\u04ff",
    "uk": "\u0400-\u04ff",
    "bg": "\u0400-\u04ff",
    "el": "\u0370-\u03ff\u1f00-\u1fff",
}
"""Script of languages whose script tells them apart; all others count as Latin."""


def script_of(code: str) -> re.Pattern[str]:
    """What matches runs of a language's letters."""
    return re.compile(f"[{SCRIPTS.get(code, LATIN)}]+")
