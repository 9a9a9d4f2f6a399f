"""Secrets that are known by their shape, wherever they stand: keys, bearer tokens, URLs, e-mail addresses, cards.

Every expression here takes time linear in the text: what fails has read a bounded number of characters, what
succeeds is consumed, and where an unbounded run must be followed by something, a run begins in one place only.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Span = tuple[int, int, str]
"""Start, end and kind of one secret in a text."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Finds secrets. A text that has none of `hints`, or none of `marks`, has no such secret; both are in lower
    case, and an empty tuple asks for nothing. These look-ups are many times faster than any expression."""

    find: Callable[[str], Iterator[Span]]
    hints: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()

    def may_find(self, lowered: str) -> bool:
        """Return whether the text, given in lower case, is worth a closer look."""
        return _has_one(self.marks, lowered) and _has_one(self.hints, lowered)


def _has_one(parts: tuple[str, ...], text: str) -> bool:
    for part in parts:  # a loop: three times as fast as `any` over a generator
        if part in text:
            return True
    return not parts


# -- private keys

_PEM = re.compile(
    r"-----BEGIN[A-Z0-9 ]{1,40}PRIVATE KEY(?: BLOCK)?-----"
    r"[^-]*+(?:-(?!----)[^-]*+)*+"  # to the next five dashes; a key that was cut off goes on to the end
    r"(?:-----END[A-Z0-9 ]{1,60}-----)?"
)
_PEM_END = re.compile(r"-----END[A-Z0-9 ]{1,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY_BACKWARDS = re.compile(r"[A-Za-z0-9+/=\s\\]*+")


def private_keys(text: str) -> Iterator[Span]:
    """Find PEM private keys, also those without their first or last lines."""
    end = 0
    for found in _PEM.finditer(text):
        yield from _headless(text, end, found.start())
        yield found.start(), found.end(), "private_key"
        end = found.end()
    yield from _headless(text, end, len(text))


def _headless(text: str, start: int, end: int) -> Iterator[Span]:
    for found in _PEM_END.finditer(text, start, end):
        before = _PEM_BODY_BACKWARDS.match(text[start : found.start()][::-1])
        begin = found.start() - (len(before[0].rstrip()) if before else 0)
        yield begin, found.end(), "private_key"
        start = found.end()


# -- keys of known makers

_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?=[\w-]{0,48}[0-9])[\w-]{16,}"  # OpenAI, Anthropic, OpenRouter, Langfuse; not `sk-learn-...`
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat)-[\w-]{16,}"
    r"|AIza[\w-]{30,}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}"
    r"|xox[abcdeoprs](?:\.xox[a-z])?-[\w-]{10,}|xapp-[\w-]{10,}"
    r"|glsa_\w{20,}|glc_[\w+/=-]{20,}"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,}"
    r"|hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|pplx-[A-Za-z0-9]{20,}"
    r"|lsv2_[a-z]{2}_\w{20,}|pcsk_\w{20,}|tvly-[\w-]{20,}|nvapi-[\w-]{20,}"
    r"|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{40,}|dckr_pat_[\w-]{20,}|do[opr]_v1_[0-9a-f]{40,}"
    r"|shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32,}|dapi[0-9a-f]{32}(?![0-9A-Za-z])|NRAK-[A-Z0-9]{20,}"
    r"|hv[sbr]\.[\w-]{20,}|SG\.[\w-]{16,32}\.[\w-]{16,64}|SK[0-9a-f]{32}(?![0-9A-Za-z])"
    r"|AGE-SECRET-KEY-1[0-9A-Z]{40,}|[0-9]{8,10}:AA[\w-]{33}(?![\w-])"
    r"|awf_(?=[a-z0-9_-]{0,42}[A-Z])[\w-]{43}(?![\w-])"  # our own tokens; metric names have no capitals
    r")"
    r"|hooks\.slack\.com/services/[\w/]{20,}"
    # Tokens of three parts (JWT) and Grafana's older keys; the first character begins the run it is in.
    r"|(?<![\w-])eyJ(?:[\w-]{8,}+\.[\w-]{4,}+(?:\.[\w-]*+){0,3}|rIjoi[\w+/=-]{30,}+)",
    re.ASCII,
)
_KEY_HINTS = (
    "akia", "asia", "abia", "acca", "ghp_", "gho_", "ghs_", "ghu_", "ghr_", "gl", "_pat_", "aiza", "ya29.",
    "gocspx-", "xox", "xapp-", "k_live_", "k_test_", "whsec_", "hf_", "xai-", "r8_", "pplx-", "lsv2_",
    "pcsk_", "tvly-", "nvapi-", "npm_", "pypi-", "_v1_", "shp", "dapi", "nrak-", "hvs.", "hvb.", "hvr.", "sg.",
    "sk", ":aa", "-key-", "awf_", ".slack.", "eyj",
)  # fmt: skip


def keys(text: str) -> Iterator[Span]:
    """Find API keys and tokens whose makers gave them a recognisable form."""
    for found in _KEYS.finditer(text):
        yield found.start(), found.end(), "api_key"


# -- Bearer and Basic outside of a header

_BEARER = re.compile(r"(?<![A-Za-z0-9])bearer[ \t]{1,8}([\w.~+/-]{8,}+=*)", re.ASCII | re.IGNORECASE)
_BASIC = re.compile(r"(?<![A-Za-z0-9])basic[ \t]{1,8}([A-Za-z0-9+/]{6,}+={0,2})", re.ASCII | re.IGNORECASE)
_TOKEN_LIKE = re.compile(r"[0-9_.~+/=]|[a-z][A-Z]|.{24}")


def bearers(text: str) -> Iterator[Span]:
    """Find `Bearer TOKEN` and `Basic BASE64`; "bearer authentication" is a phrase."""
    for found in _BEARER.finditer(text):
        if _TOKEN_LIKE.search(found[1].rstrip(".")):
            yield found.start(1), found.end(1), "bearer"


def basics(text: str) -> Iterator[Span]:
    """Find `Basic` followed by what decodes to `user:password`."""
    for found in _BASIC.finditer(text):
        if _is_user_and_password(found[1]):
            yield found.start(1), found.end(1), "bearer"


def _is_user_and_password(encoded: str) -> bool:
    try:
        plain = base64.b64decode(encoded[:400] + "=" * (-len(encoded[:400]) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return False
    return ":" in plain and plain.isprintable()


# -- passwords in URLs

# Between two `://` there is a slash, which no part of this matches: runs do not overlap.
_URL = re.compile(r"://(?:[^\s/?#:@\"'<>]*+:(?P<password>[^\s/?#\"'<>]+)|(?P<user>[A-Za-z0-9_.~-]{20,}+))@")


def url_passwords(text: str) -> Iterator[Span]:
    """Find the password of `scheme://user:password@host`, or a long user without one: a token."""
    for found in _URL.finditer(text):
        part = "password" if found["password"] else "user"
        yield found.start(part), found.end(part), "password"


# -- passwords on command lines

_USER_OPTION = re.compile(r"""(?<!\S)(?:-u|--user)[ =]["']?(?P<user>[^\s:"']{1,64}):(?P<password>[^\s"']+)""")


def user_options(text: str) -> Iterator[Span]:
    """Find the password of `curl -u user:password`; `docker run -u 1000:1000` has none."""
    for found in _USER_OPTION.finditer(text):
        if not found["user"].isdigit():
            yield found.start("password"), found.end("password"), "password"


# -- e-mail addresses

_AT = re.compile(r"(?:@|%40)(?P<domain>[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}+(?![0-9]))")
_LOCAL_BACKWARDS = re.compile(r"[\w.+~%-]*+")


def emails(text: str) -> Iterator[Span]:
    """Find addresses, also with `%40`; `git@host` is how a repository is named."""
    end = 0
    for found in _AT.finditer(text):
        local = _LOCAL_BACKWARDS.match(text[end : found.start()][::-1])
        length = len(local[0]) if local else 0
        if length and local and local[0] != "tig":
            yield found.start() - length, found.end(), "email"
        end = found.end()


# -- card numbers

_SEPARATOR = "[ .\u00a0\u2010-\u2014-]"
_CARD = re.compile(
    # The digit before the look behind it: the search for a first character is fast.
    r"[2-6](?<![^\W_].)(?<![0-9][.-].)(?:"
    rf"[0-9]{{3}}(?:{_SEPARATOR}[0-9]{{4}}){{3}}(?:{_SEPARATOR}[0-9]{{1,3}})?"
    rf"|(?<=3)[0-9]{{3}}{_SEPARATOR}[0-9]{{6}}{_SEPARATOR}[0-9]{{4,5}}"
    r"|[0-9]{12,18}"
    r")(?![^\W_])(?!\.[0-9])"
)
# Who issues which first digits, and in which lengths: what else passes the check digit is an id or a time.
_BRANDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d+(?<=^.{16})"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12,15}"
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d)\d{12,15}|(?:50|5[6-8]|6[37])\d{14}(?:\d{3})?",
    re.ASCII,
)


def cards(text: str) -> Iterator[Span]:
    """Find card numbers of 13 to 19 digits: known first digits, their lengths, and the check digit (Luhn)."""
    for found in _CARD.finditer(text):
        digits = "".join(filter(str.isdigit, found[0]))
        if _BRANDS.fullmatch(digits) and _has_check_digit(digits):
            yield found.start(), found.end(), "card"


def _has_check_digit(digits: str) -> bool:
    """ISO/IEC 7812-1: double every second digit from the right, sum the digits, divisible by ten."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


PRIVATE_KEYS = Rule(private_keys, ("private key",))
KEYS = Rule(keys, _KEY_HINTS)
BEARERS = Rule(bearers, ("bearer",))
BASICS = Rule(basics, ("basic",))
URL_PASSWORDS = Rule(url_passwords, ("://",))
USER_OPTIONS = Rule(user_options, ("-u",))
EMAILS = Rule(emails, ("@", "%40"))
CARDS = Rule(cards)
