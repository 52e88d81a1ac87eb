"""Commands as they stand in hints: the one place that puts a value into a line which people paste into a shell.

Whoever can make a folder chooses its name, and an operator pastes what this tool prints, often as root.
"""

from __future__ import annotations

from baileys_tools.units import printable


def command(template: str, *values: str) -> str:
    """Given a command with `{}` for each value, return it with the values quoted, so that a shell reads just these.

    What cannot be typed (a control character, bytes that are no UTF-8, a company that --company would read as
    another) is never put into a command: then the text says what to do first, with the name escaped.
    """
    from shlex import quote

    words = template.split(" ")
    left = iter(values)
    for place, word in enumerate(words):
        if word == "{}":
            value = next(left)
            if not _can_be_typed(value, words[place - 1]):
                return (
                    f"{_plain_part(words)}, once {quote(printable(value))} has a plain name (no "
                    "command can have this)"
                )
            words[place] = quote(value)
    assert next(left, None) is None, template
    return " ".join(words)


def with_commands(text: str, company: str) -> str:
    """Given a text with commands in backquotes and `{company}` in them, return it with that company in them."""
    parts = text.split("`")
    parts[1::2] = [
        command(part.replace("{company}", "{}"), *[company] * part.count("{company}")) for part in parts[1::2]
    ]
    return "".join(parts)


def _can_be_typed(value: str, before: str) -> bool:
    if before != "--company":
        return value.isprintable()
    # As that option reads it: a list with commas, ids or folders.
    return value.isprintable() and "," not in value and value == value.strip().removeprefix("company_") != ""


def _plain_part(words: list[str]) -> str:
    """Return the program and its verb, without an option or a value."""
    end = next(place for place, word in enumerate(words) if word == "{}" or word.startswith("-"))
    return " ".join(words[:end])
