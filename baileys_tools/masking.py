"""Takes secrets out of any text before it is shown, written or sent.

Whatever is read as a secret is made known here once (config's `Secret` does it by itself); from then on `masked`
finds it in every text, whoever wrote that: a library's exception, a traceback, a server's answer.
"""

from __future__ import annotations

MASK = "***"
SHORTEST = 5
"""Characters from which on a secret is looked for: the four digits of somebody's password stand everywhere."""

_known: set[str] = set()

_PATTERNS = (
    (r"(?<=://)[^\s/?#@\"'<>]+@", MASK + "@"),  # user and password of any address
    (r"(?<=/bot)[0-9]{5,}:[A-Za-z0-9_-]{20,}", MASK),  # Telegram puts its token into the path
    (r"AGE-SECRET-KEY-1[0-9A-Z]+", MASK),
    (r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{8,}", MASK),
    (r"(?i)(?<=basic )[A-Za-z0-9+/=]{8,}", MASK),
)
"""What is a secret wherever it stands, known or not."""


def remember_secret(text: str) -> None:
    """Have `masked` hide this text from now on, and what of an address in it is secret by itself."""
    for part in (text, *_secret_parts(text)):
        if len(part) >= SHORTEST:
            _known.add(part)


def masked(text: str) -> str:
    """Given any text, return it with every known secret, and all that looks like one, as `***`."""
    import re

    # The longest first: an address before the token in it.
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern, mask in _PATTERNS:
        text = re.sub(pattern, mask, text)
    return text


def _secret_parts(text: str) -> list[str]:
    """Return what libraries show of an address by itself: its path, its password, the tokens in it, decoded or not."""
    scheme, found, rest = text.partition("://")
    if not found or not scheme.isascii() or " " in text:
        return []
    place, slash, path = rest.partition("/")
    path, _, query = path.partition("?")
    user, _, _ = place.rpartition("@")
    parts = [*user.split(":"), slash + path if _is_token(path) else ""]
    parts += [word for word in path.split("/") if _is_token(word)]
    parts += [value for value in (pair.partition("=")[2] for pair in query.split("&")) if _is_token(value)]
    return parts + [_decoded(part) for part in parts if "%" in part]


def _is_token(word: str) -> bool:
    """Whether a word of an address tells anything: `services` and `webhook` do not."""
    return len(word) >= 16 or (len(word) >= 8 and any(map(str.isdigit, word)))


def _decoded(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text)
