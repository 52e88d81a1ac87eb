"""The kinds of values that settings about a running bot have: words, addresses, requests to its HTTP API."""

from __future__ import annotations

from typing import Any

from baileys_tools.config.kinds import Absolute, ValueKind, _text
from baileys_tools.masking import masked_address, masked_values, remember_address
from baileys_tools.units import is_one_line, quoted

METHODS = ("GET", "POST", "PUT", "PATCH")
PLACEHOLDERS = ("company", "number", "message")
"""What a path and a body may hold in braces."""
ANSWERS = ("connected", "connecting", "disconnected", "has_qr", "user", "code", "ok")
"""The facts that an answer may hold, each found by a JMESPath expression."""

_TEMPLATE = r"\{([^{}]*)\}"


def choice(*words: str) -> ValueKind:
    """Return the kind of a setting that is one of these words."""
    noun = ", ".join(words[:-1]) + f" or {words[-1]}"

    def read(raw: object, absolute: Absolute) -> str:
        word = _text(raw, noun).strip().lower()
        if word not in words:
            raise ValueError(f"{quoted(word)} is not {noun}")
        return word

    return ValueKind(read, str)


def _read_line(raw: object, absolute: Absolute) -> str:
    text = _text(raw, "one line of text").strip()
    if not text or not is_one_line(text):
        raise ValueError(f"{quoted(text)} is not one line of text")
    return text


def _read_url(raw: object, absolute: Absolute) -> str:
    from urllib.parse import urlsplit

    text = _read_line(raw, absolute).rstrip("/")
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        # Where a password begins and ends in what is no address is not known.
        shown = "this" if "@" in text else quoted(masked_address(text))
        raise ValueError(f"{shown} is not an address (for example http://127.0.0.1:3000)")
    if parts.username is not None or parts.password is not None:
        # The text itself must not be shown: it holds the password.
        raise ValueError("an address with a user or a password in it; give them as a header")
    if parts.query or parts.fragment or " " in text:
        raise ValueError("the address has a ?, a # or a space in it")
    remember_address(text)
    return text


def _read_endpoint(raw: object, absolute: Absolute) -> dict[str, Any]:
    """Return a request as `method`, `path`, perhaps `body`, and the expressions for its answer."""
    import json

    if isinstance(raw, str) and raw.strip().startswith("{"):
        raw = _json(raw)
    fields = dict(raw) if isinstance(raw, dict) else {"request": raw}
    method, path = _request_line(fields.pop("request", None))
    endpoint: dict[str, Any] = {"method": method, "path": path}
    if (body := fields.pop("body", None)) is not None:
        endpoint["body"] = _json(body) if isinstance(body, str) else body
        _check_placeholders(json.dumps(endpoint["body"])[1:-1])
    for name, expression in fields.items():
        if name not in ANSWERS:
            raise ValueError(
                f"invalid key {quoted(name)}: it has to be one of request, body, {', '.join(ANSWERS)}"
            )
        endpoint[name] = _expression(_text(expression, "a JMESPath expression"))
    return endpoint


def _request_line(raw: object) -> tuple[str, str]:
    words = _text(raw, 'a request (for example "GET /status/{company}")').split()
    if len(words) != 2 or words[0] not in METHODS or not words[1].startswith("/"):
        shown = quoted(masked_address(" ".join(words))) if raw is not None else "nothing"
        raise ValueError(f'{shown} is not a request (for example "GET /status/{{company}}")')
    if not words[1].isascii() or not words[1].isprintable():
        raise ValueError(f"{quoted(masked_address(words[1]))} is not a path: write %20 for a space")
    _check_placeholders(words[1])
    return words[0], words[1]


def _check_placeholders(template: str) -> None:
    import re

    for name in re.findall(_TEMPLATE, template):
        # A body has braces of its own.
        if name.isidentifier() and name not in PLACEHOLDERS:
            known = ", ".join(f"{{{word}}}" for word in PLACEHOLDERS)
            raise ValueError(f"invalid placeholder {{{name}}}: it has to be one of {known}")


def _expression(text: str) -> str:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(text)
    except JMESPathError:
        raise ValueError(f"{quoted(text)} is not a JMESPath expression") from None
    return text


def _json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{quoted(text)} is not valid JSON") from None


def _conceal_endpoint(endpoint: dict[str, Any]) -> dict[str, Any]:
    shown = endpoint | {"path": masked_address(endpoint["path"])}
    return shown | {"body": masked_values(endpoint["body"])} if "body" in endpoint else shown


def _show_endpoint(endpoint: dict[str, Any]) -> str:
    import json

    shown = {"request": f"{endpoint['method']} {endpoint['path']}"}
    rest = {name: value for name, value in endpoint.items() if name not in ("method", "path")}
    return json.dumps(shown | rest) if rest else shown["request"]


LINE = ValueKind(_read_line, str)
URL = ValueKind(_read_url, str, masked_address)
ENDPOINT = ValueKind(_read_endpoint, _show_endpoint, _conceal_endpoint)
WHEN_CONNECTED = choice("allow", "skip")
PRESETS = ("ai-admin", "persistent-session", "evolution", "waha", "wppconnect", "baileys-api")
PRESET = choice(*PRESETS)
