"""The kinds of values that a setting can have: how each is read from text and shown again.

YAML scalars, environment variables and most flags arrive as text, so `07` stays `07` and every source is
read by the same rules.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from baileys_tools.errors import BaileysToolsError
from baileys_tools.masking import remember_secret
from baileys_tools.trust import NotTrusted, read_trusted
from baileys_tools.units import (
    format_duration,
    format_size,
    is_one_line,
    parse_duration,
    parse_size,
    quoted,
)

if TYPE_CHECKING:
    from urllib.parse import SplitResult

LARGEST_SECRET_FILE = 65_536
COMPANY_PREFIX = "company_"
# company_<id> has to be a file name, and those end at 255 bytes.
LONGEST_COMPANY_ID = 255 - len(COMPANY_PREFIX)

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")

COPY_SCHEMES = ("sftp", "s3", "file")

Absolute = Callable[[str], str]
"""Makes a path absolute as its source means it: from the settings file's folder, else the working folder."""


class Secret:
    """A text that prints as `***` everywhere, also in what others write; only `reveal()` gives it away."""

    __slots__ = ("_text",)
    trouble = ""
    """Why there is none to be had."""

    def __init__(self, text: str) -> None:
        self._text = text
        remember_secret(text)

    def reveal(self) -> str:
        """Return the secret itself, for the one place that sends it."""
        return self._text

    def __str__(self) -> str:
        return "***"

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


class UnreadSecret(Secret):
    """A secret whose file gave none. What needs it fails and says why; nothing else does."""

    __slots__ = ("trouble",)

    def __init__(self, trouble: str) -> None:
        self.trouble = trouble
        self._text = ""

    def reveal(self) -> str:
        """Raise BaileysToolsError: there is nothing to reveal."""
        raise BaileysToolsError(self.trouble, "See that its file can be read: baileys-tools doctor")


class NoSecret(ValueError):
    """A file that is to hold a secret gives none. The text says why."""


class ValueKind:
    """How values of one kind are read and shown.

    `read(raw, absolute)` takes text, a list, a mapping or an already typed flag and returns the value, or
    raises ValueError with a message that can stand behind "section.key: ". `show` writes a value so that it reads
    back; `conceal` returns it as it may be printed, for an address that can hold a token. `none` is the word for None,
    where that is a value of its own. Settings of a kind that `is_secret` get a companion `<key>_file`.
    """

    __slots__ = ("conceal", "is_secret", "none", "read", "show")

    def __init__(
        self,
        read: Callable[[object, Absolute], Any],
        show: Callable[[Any], str],
        conceal: Callable[[Any], Any] = lambda value: value,
        none: str = "",
        is_secret: bool = False,
    ) -> None:
        self.is_secret = is_secret
        self.none = none
        self.read = read
        self.show = show
        self.conceal = conceal


def valid_company_id(text: str) -> str:
    """Given a company id from a flag, the environment or a file, or the name of its folder, return the id.

    Raise ValueError when it cannot be the name of one folder: empty, `.`, `..`, with `/`, a NUL or another
    control character, or too long for `company_<id>`. Whether it exists is for the listing to say.
    """
    company_id = text.removeprefix(COMPANY_PREFIX)
    if not company_id or company_id in (".", "..") or "/" in company_id or not is_one_line(company_id):
        raise ValueError(f"{quoted(text)} is not a company id: it has to name one folder")
    if len(os.fsencode(company_id)) > LONGEST_COMPANY_ID:
        raise ValueError(f"{quoted(text)} is not a company id: longer than {LONGEST_COMPANY_ID} bytes")
    return company_id


def _text(raw: object, noun: str) -> str:
    if isinstance(raw, list | tuple):
        raise ValueError(f"a list is not {noun}")
    if isinstance(raw, dict):
        quotes = "; quote values with braces" if list(raw.values()) == [None] else ""
        raise ValueError(f"a section is not {noun}{quotes}")
    return str(raw)


def _read_boolean(raw: object, absolute: Absolute) -> bool:
    noun = "true or false"
    text = _text(raw, noun)
    word = text.strip().lower()
    if word not in _TRUE + _FALSE:
        raise ValueError(f"{quoted(text)} is not {noun}")
    return word in _TRUE


def _read_count(raw: object, absolute: Absolute) -> int:
    noun = "a whole number (for example 50)"
    text = _text(raw, noun).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(f"{quoted(text)} is not {noun}")
    return int(text)


def _read_duration(raw: object, absolute: Absolute) -> timedelta:
    if isinstance(raw, timedelta):
        return raw
    return parse_duration(_text(raw, "a duration (for example 14d, 36h)"))


def _read_size(raw: object, absolute: Absolute) -> int:
    return parse_size(_text(raw, "a size (for example 150MB, 2GiB)"))


def _show_size(size: int) -> str:
    """Write a size so that it reads back as the same number."""
    shown = format_size(size)
    return shown.replace(".0 ", " ") if parse_size(shown) == size else str(size)


def _read_path(raw: object, absolute: Absolute) -> str:
    text = _text(raw, "a path")
    if not text.strip():
        raise ValueError("the path is empty")
    if "\0" in text:
        raise ValueError(f"{quoted(text)} is not a path")
    # What follows would be a line of its own where a path is written down: in a crontab, a unit, a log.
    if "\n" in text or "\r" in text:
        raise ValueError(f"{quoted(text)} has a line break in it; give it another name")
    return absolute(text)


def _read_company_ids(raw: object, absolute: Absolute) -> tuple[str, ...]:
    if isinstance(raw, dict):
        raise ValueError("a section is not a list of company ids")
    items = raw if isinstance(raw, list | tuple) else (raw,)
    parts = [part.strip() for item in items for part in _text(item, "a company id").split(",")]
    return tuple(dict.fromkeys(map(valid_company_id, parts)))


def _read_texts(raw: object, absolute: Absolute) -> tuple[str, ...]:
    if isinstance(raw, dict):
        raise ValueError("a section is not a list")
    items = raw if isinstance(raw, list | tuple) else str(raw).split(",")
    texts = [_text(item, "one text of a list").strip() for item in items]
    if not all(texts):
        raise ValueError("the list has an empty entry")
    if not all(map(is_one_line, texts)):
        raise ValueError("the list has an entry with a control character")
    return tuple(dict.fromkeys(texts))


def parts_of_place(url: str) -> SplitResult:
    """Given the URL of a place of copies, return its parts.

    Raise ValueError for one that is no URL, without showing it: where a password begins and ends is not known.
    """
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        # Only SFTP has a port: the name of a bucket may be an ARN, which has colons in it.
        is_address = parts.scheme != "sftp" or parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError("a copy target with an invalid URL or port")
    return parts


def _read_copy_targets(raw: object, absolute: Absolute) -> tuple[str, ...]:
    targets = _read_texts(raw, absolute)
    for target in targets:
        parts = parts_of_place(target)
        if parts.password is not None:
            # The text itself must not be shown: it holds the password.
            raise ValueError("a copy target with a password in it; use a key file or the usual variables")
        if parts.scheme not in COPY_SCHEMES or (not parts.path.strip("/") and parts.scheme != "s3"):
            examples = "sftp://user@host/folder, s3://bucket/folder or file:///mnt/folder"
            raise ValueError(f"{quoted(target)} is not a place for copies ({examples})")
        if not parts.netloc and parts.scheme != "file":
            raise ValueError(f"no {'bucket' if parts.scheme == 's3' else 'host'} in {quoted(target)}")
        if parts.query or parts.fragment:
            raise ValueError(f"{quoted(target)} has a ? or # in it")
    return targets


def _read_schedule(raw: object, absolute: Absolute) -> str:
    from baileys_tools.schedule import OFF, parse_schedule

    text = " ".join(_text(raw, 'a time for cron (for example "0 3 * * *", or off)').strip('" ').split())
    if text.lower() in (OFF, "false", "no"):
        return OFF
    parse_schedule(text)
    return text


def _read_secret(raw: object, absolute: Absolute) -> Secret:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("a secret is one text that is not empty")
    return Secret(raw.strip())


def _read_secret_url(raw: object, absolute: Absolute) -> Secret:
    secret: Secret = _read_secret(raw, absolute)
    _check_url(secret.reveal())
    return secret


def headers_in(text: str) -> dict[str, str]:
    """Given HTTP headers, one to a line, return them by name. Raise ValueError for an invalid line."""
    headers = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not line.strip():
            continue
        is_name = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        if not (colon and is_name and value.isascii() and value.isprintable() and value):
            # The line itself may be a secret.
            raise ValueError(f"invalid header on line {number}: write one to a line, as Name: value")
        headers[name] = value
    return headers


def _read_headers(raw: object, absolute: Absolute) -> Secret:
    secret: Secret = _read_secret(raw, absolute)
    headers_in(secret.reveal())
    return secret


def _check_url(text: str) -> None:
    """Raise ValueError when this is no address of a web server. The text is not shown: it may hold a token."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ValueError("this is not an address that starts with https:// or http://")
    if not is_one_line(text) or " " in text:
        raise ValueError("the address has a space or a control character in it")


def _read_secrets(raw: object, absolute: Absolute) -> tuple[Secret, ...]:
    if isinstance(raw, dict):
        raise ValueError("a section is not a list of addresses")
    # A comma can be part of an address, so one only parts where another address begins.
    pieces = (
        raw if isinstance(raw, list | tuple) else re.split(r"[\s,]+(?=[A-Za-z0-9]+://)", str(raw).strip())
    )
    secrets = [_read_secret(piece, absolute) for piece in pieces]
    if any("://" not in secret.reveal() or not is_one_line(secret.reveal()) for secret in secrets):
        raise ValueError("the list has an entry that is not an address (mailto://..., ntfy://...)")
    return tuple(dict.fromkeys(secrets))


def in_file(kind: ValueKind) -> ValueKind:
    """Given a kind of secret, return the kind of a path whose file holds such a secret."""
    return ValueKind(lambda raw, absolute: kind.read(_content_of_file(raw, absolute), absolute), kind.show)


def _content_of_file(raw: object, absolute: Absolute) -> str:
    path = _read_path(raw, absolute)
    try:
        content = read_trusted(path, LARGEST_SECRET_FILE + 1)
        if len(content) > LARGEST_SECRET_FILE:
            raise NoSecret(f"{quoted(path, 400)} is larger than {LARGEST_SECRET_FILE} bytes")
        text = content.decode()
    except NotTrusted as error:
        raise ValueError(f"cannot read {quoted(path, 400)}: {error.strerror}") from None
    except OSError as error:
        raise NoSecret(f"cannot read {quoted(path, 400)}: {error.strerror}") from None
    except UnicodeDecodeError:
        # The codec's own message would quote bytes of the secret.
        raise NoSecret(f"{quoted(path, 400)} is not UTF-8 text") from None
    if not text.strip():
        raise NoSecret(f"{quoted(path, 400)} is empty")
    return text.strip()


def _read_key_file(raw: object, absolute: Absolute) -> str:
    path = _read_path(raw, absolute)
    try:
        read_trusted(path, 0)
    except NotTrusted as error:
        raise ValueError(f"cannot read {quoted(path, 400)}: {error.strerror}") from None
    except OSError:
        pass  # who needs the key says that it is missing; nobody else has to know
    return path


def _or(word: str, kind: ValueKind) -> ValueKind:
    """Given a kind, return the one that also takes a word, which stands for None."""

    def read(raw: object, absolute: Absolute) -> Any:
        is_word = isinstance(raw, str) and raw.strip().lower() in (
            word,
            *(_FALSE[:3] if word == "off" else ()),
        )
        try:
            return None if is_word else kind.read(raw, absolute)
        except ValueError as error:
            raise ValueError(f"{error}, or {word}") from None

    return ValueKind(read, kind.show, none=word)


def _read_counted(raw: object, absolute: Absolute) -> str:
    noun = "all or removable"
    text = _text(raw, noun).strip().lower()
    if text not in ("all", "removable"):
        raise ValueError(f"{quoted(text)} is not {noun}")
    return text


COUNTED = ValueKind(_read_counted, str)
BOOLEAN = ValueKind(_read_boolean, lambda value: str(value).lower())
COUNT = ValueKind(_read_count, str)
SIZE = ValueKind(_read_size, _show_size)
DURATION = ValueKind(_read_duration, format_duration)
AGE_OR_KEEP = _or("keep", DURATION)
AGE_OR_OFF = _or("off", DURATION)
COUNT_OR_OFF = _or("off", COUNT)
PATH = ValueKind(_read_path, str)
KEY_FILE = ValueKind(_read_key_file, str)
"""A file with a secret key, which stays there until it is needed."""
COMPANY_IDS = ValueKind(_read_company_ids, ", ".join)
TEXTS = ValueKind(_read_texts, ", ".join)
COPY_TARGETS = ValueKind(_read_copy_targets, ", ".join)
SCHEDULE = ValueKind(_read_schedule, lambda value: f'"{value}"')  # a * begins an alias in YAML
SECRET = ValueKind(_read_secret, str, is_secret=True)
SECRET_URL = ValueKind(_read_secret_url, str, is_secret=True)
SECRETS = ValueKind(_read_secrets, lambda value: ", ".join(map(str, value)), is_secret=True)
HEADERS = ValueKind(_read_headers, str, is_secret=True)
