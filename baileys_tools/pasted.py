"""Commands as they stand in hints: the one place that puts a value into a line which people paste into a shell.

Whoever can make a folder chooses its name, and an operator pastes what this tool prints, often as root.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from baileys_tools.units import printable

_OPTIONS = {"--sessions": ("sessions.path", "sessions.roots"), "--company": ("sessions.companies",)}
WITH_SESSIONS = frozenset(
    [
        "cleanup",
        "undo",
        "monitor-once",
        "snapshots",
        "verify",
        "prune",
        "status",
        "trigger",
        "inspect",
        "backup",
        "restore",
        "recover",
        "reset",
        "watch",
        "report",
        "serve",
        "doctor",
        "resend-group-keys",
        "contact",
        "renew-sessions",
        "contacts",
        "diff",
        "setup",
        "migrate",
        "keep",
        "logs",
        "incidents",
        "support-bundle",
        "silence",
        "sessions",
    ]
)
_WITH_COMPANY = (WITH_SESSIONS - {"doctor", "sessions", "serve", "setup"}) | frozenset(
    ["reconnect", "start-session", "qr", "send-test"]
)
_WITHOUT_CONFIG = frozenset({"help", "explain"})
_here: dict[str, list[str]] = {}


def came_with(flags: Mapping[str, object], config: str | None) -> None:
    """Remember the flags of this run that say which bots it is about: a command in a hint is about the same ones."""
    _here.clear()
    for option, keys in _OPTIONS.items():
        value = next(filter(None, map(flags.get, keys)), None)
        given = [value] if isinstance(value, str) else value if isinstance(value, Iterable) else []
        if words := [str(one) for one in given if one]:
            _here[option] = words
    if config:
        _here["--config"] = [config]


def where() -> str:
    """Return what tells the commands of this run's hints from those of another's."""
    return repr(_here) if _here else ""


def _same_bots(words: list[str]) -> list[str]:
    """Given the words of a command, return the options by which it is about the bots that this run is about."""
    from shlex import quote

    if words[0] != "baileys-tools" or len(words) < 2 or not _here:
        return []
    verb = words[1]
    takes = {
        "--company": verb in _WITH_COMPANY,
        "--sessions": verb in WITH_SESSIONS,
        "--config": verb not in _WITHOUT_CONFIG and words[1:3] != ["config", "init"],
    }
    more = []
    for option, is_taken in takes.items():
        values = _here.get(option, [])
        # One that cannot be typed was not typed either.
        if is_taken and option not in words and all(can_be_typed(value, option) for value in values):
            more += [f"{option} {quote(value)}" for value in values]
    return more


def command(template: str, *values: str) -> str:
    """Given a command with `{}` for each value, return it with the values quoted, so that a shell reads just these.

    What cannot be typed (a control character, bytes that are no UTF-8, a company that --company would read as
    another) is never put into a command: then the text says what to do first, with the name escaped.
    """
    from shlex import quote

    words = template.split(" ")
    more = _same_bots(words)
    left = iter(values)
    for place, word in enumerate(words):
        if word == "{}":
            value = next(left)
            if not can_be_typed(value, words[place - 1]):
                return (
                    f"{_plain_part(words)}, once {quote(printable(value))} has a plain name (no "
                    "command can have this)"
                )
            words[place] = quote(value)
    assert next(left, None) is None, template
    return " ".join([*words, *more])


def with_commands(text: str, company: str) -> str:
    """Given a text with commands in backquotes and `{company}` in them, return it with that company in them."""
    parts = text.split("`")
    parts[1::2] = [
        command(part.replace("{company}", "{}"), *[company] * part.count("{company}")) for part in parts[1::2]
    ]
    return "".join(parts)


def can_be_typed(value: str, before: str) -> bool:
    if before != "--company":
        return value.isprintable()
    # As that option reads it: a list with commas, ids or folders.
    return value.isprintable() and "," not in value and value == value.strip().removeprefix("company_") != ""


def _plain_part(words: list[str]) -> str:
    """Return the program and its verb, without an option or a value."""
    end = next(place for place, word in enumerate(words) if word == "{}" or word.startswith("-"))
    return " ".join(words[:end])
