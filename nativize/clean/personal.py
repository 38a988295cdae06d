"""Personal data replaced by typed placeholders: <mail>, <card>, <my_number>, <ip>, <phone>.

A placeholder keeps the sentence whole and can be told from text. Card numbers must pass the Luhn
checksum, Japan's individual numbers (My Number) theirs; Japanese telephone numbers must have an
area code's form, other ones an international prefix, so that dates, prices and versions stay.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Collection

KINDS = ("mail", "card", "my_number", "ip", "phone")
"""In the order in which they are looked for: twelve digits in a row are no phone number."""

NOT_BEFORE = r"(?<![0-9A-Za-z._\-])"
NOT_AFTER = r"(?![0-9A-Za-z_\-])"

MAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63}@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}"
    r"(?![A-Za-z0-9\-])"
)
CARD = re.compile(rf"{NOT_BEFORE}[2-6][0-9]{{3}}(?:[ \-]?[0-9]){{9,15}}{NOT_AFTER}")
MY_NUMBER = re.compile(rf"{NOT_BEFORE}[0-9]{{4}}([ \-]?)[0-9]{{4}}\1[0-9]{{4}}{NOT_AFTER}")
IPV4 = re.compile(rf"{NOT_BEFORE}(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}(?!\.?[0-9A-Za-z_\-])")
IPV6 = re.compile(r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}(?![0-9A-Za-z:])")
PHONE = re.compile(
    NOT_BEFORE + r"(?:"
    # +81 3-1234-5678, +1-202-555-0143: an international prefix and 7 to 14 digits
    r"\+[1-9][0-9]{0,2}(?:[ \-.]?\(?[0-9]{1,4}\)?){2,5}"
    # 03-1234-5678, 045-123-4567, 090-1234-5678, (03) 1234-5678: Japan's 10 or 11 digits
    r"|\(?0[0-9]{1,4}(?:\) ?|-)[0-9]{1,4}-[0-9]{4}"
    # 09012345678, 0312345678: a mobile or geographic number in one run
    r"|0[5789]0[0-9]{8}|0[1-9][0-9]{8}"
    r")" + NOT_AFTER
)
DIGITS = re.compile(r"[0-9]")
NUMBER = re.compile(r"[0-9][0-9 .\-()]{6,}")
"""Seven characters that every card, IPv4 address and phone number holds; most texts hold none."""


def replace_personal_data(text: str, kinds: Collection[str] = KINDS) -> tuple[str, Counter[str]]:
    """The text with placeholders for the named kinds, and how many of each were put in."""
    counts: Counter[str] = Counter()
    has_number = NUMBER.search(text) is not None
    for kind, sign, pattern, is_kind in RULES:
        if kind in kinds and (sign in text if sign else has_number):
            text = _replace(text, kind, pattern, is_kind, counts)
    return text, counts


def luhn(number: str) -> bool:
    """Whether a number's last digit is the checksum of the others (ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _replace(
    text: str,
    kind: str,
    pattern: re.Pattern[str],
    is_kind: Callable[[str], bool],
    counts: Counter[str],
) -> str:
    def placeholder(match: re.Match[str]) -> str:
        if not is_kind(match[0]):
            return match[0]
        counts[kind] += 1
        return f"<{kind}>"

    return pattern.sub(placeholder, text)


def _digits(found: str) -> str:
    return "".join(DIGITS.findall(found))


def _is_card(found: str) -> bool:
    number = _digits(found)
    return 13 <= len(number) <= 19 and len(set(number)) > 1 and luhn(number)


def _is_my_number(found: str) -> bool:
    """Whether twelve digits end in their check digit.

    Source: ordinance 85 of Japan's Ministry of Internal Affairs, 2014, article 5.
    """
    digits = [int(digit) for digit in reversed(_digits(found))]
    total = sum(digit * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(digits[1:], 1))
    return len(set(digits)) > 1 and digits[0] == (11 - total % 11 if total % 11 > 1 else 0)


def _is_phone(found: str) -> bool:
    count = len(_digits(found))
    return 8 <= count <= 15 if found.startswith("+") else count in (10, 11)


def _is_address(found: str) -> bool:
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return False
    return True


RULES: tuple[tuple[str, str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("mail", "@", MAIL, bool),
    ("card", "", CARD, _is_card),
    ("my_number", "", MY_NUMBER, _is_my_number),
    ("ip", "", IPV4, _is_address),
    ("phone", "", PHONE, _is_phone),
    ("ip", ":", IPV6, _is_address),
)
"""Kind, a sign that a text must hold (else a number), pattern, and the test of what it finds."""
