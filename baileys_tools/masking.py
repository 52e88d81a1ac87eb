"""Takes secrets out of any text before it is shown, written or sent.

Whatever is read as a secret is made known here once (config's `Secret` does it by itself); from then on `masked`
finds it in every text, whoever wrote that: a library's exception, a traceback, a server's answer.
"""

from __future__ import annotations

from typing import Any

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


def remember_address(text: str) -> None:
    """Have `masked` hide from now on what in this address is secret; the address itself may be shown."""
    for token in _tokens_in(text):
        remember_secret(token)


def masked_address(text: str) -> str:
    """Given an address, or the path of one, return it without its user, the values of its query and any token."""
    scheme, found, rest = text.rpartition("://")
    place, slash, path = rest.partition("/") if found else ("", "", rest)
    if "@" in place:
        place = f"{MASK}@{place.rpartition('@')[2]}"
    path, mark, query = path.partition("?")
    words = (MASK if _is_token(word) else word for word in path.split("/"))
    pairs = (pair.rpartition("=") for pair in query.split("&"))
    values = (name + equals + (MASK if _is_told(value) else value) for name, equals, value in pairs)
    return f"{scheme}{found}{place}{slash}{'/'.join(words)}{mark}{'&'.join(values)}"


def masked_values(document: Any) -> Any:
    """Given what was read from JSON, return it with every text that looks like a token as `***`."""
    if isinstance(document, dict):
        return {name: masked_values(value) for name, value in document.items()}
    if isinstance(document, list):
        return [masked_values(value) for value in document]
    return MASK if isinstance(document, str) and " " not in document and _is_token(document) else document


def masked_number(text: str) -> str:
    """Given a phone number or an address with one (`49170...:7@s.whatsapp.net`), return it masked: 49****89."""
    user = text.partition("@")[0].partition(":")[0]
    digits = "".join(character for character in user if character.isascii() and character.isalnum())
    return f"{digits[:2]}****{digits[-2:]}" if len(digits) >= 7 else "****"


def numbers_masked(text: str) -> str:
    """Given any text, return it with every run of digits that could be a phone number or a LID masked."""
    import re

    return re.sub(r"[0-9]{9,}", lambda found: masked_number(found[0]), text)


def _tokens_in(text: str) -> list[str]:
    _, found, rest = text.rpartition("://")
    path, _, query = (rest.partition("/")[2] if found else rest).partition("?")
    values = (pair.rpartition("=")[2] for pair in query.split("&"))
    return [word for word in path.split("/") if _is_token(word)] + [word for word in values if _is_told(word)]


def _is_told(value: str) -> bool:
    """Whether the value of a query says anything: a placeholder does not."""
    return bool(value) and not (value.startswith("{") and value.endswith("}"))


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
    """Whether a word of an address tells anything: `services`, `persistent-session` and `{company}` do not."""
    if len(word) >= 8 and any(map(str.isdigit, word)):
        return True
    parts = word.strip("{}").replace("_", "-").split("-")
    return len(word) >= 16 and not all(
        part.isalpha() and part[1:].islower() and len(part) < 16 for part in parts
    )


def _decoded(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text)
