"""Where dead-man's pings go: one address for all commands, or one for each."""

from __future__ import annotations

from baileys_tools.config.kinds import SECRET_URL, Absolute, Secret, ValueKind
from baileys_tools.units import did_you_mean, quoted

PINGED = ("cleanup", "backup", "verify", "prune", "monitor-once", "trigger", "recover", "report")
"""The commands that cron runs."""


def pings_in(text: str) -> dict[str, str]:
    """Given the value of `ping.url`, return the address that each command pings."""
    if _is_address(text):
        return {command: text.replace("{command}", command) for command in PINGED}
    lines = (line.partition(":") for line in text.splitlines() if line.strip())
    return {command.strip(): address.strip() for command, _, address in lines}


def _read_pings(raw: object, absolute: Absolute) -> Secret:
    if isinstance(raw, str) and _is_address(raw):
        one: Secret = SECRET_URL.read(raw, absolute)
        return one
    given = raw if isinstance(raw, dict) else pings_in(str(raw))
    if not given:
        raise ValueError("neither an address nor a command with one (cleanup: https://...)")
    lines = []
    for name, address in given.items():
        command = str(name).replace("_", "-")
        if command not in PINGED:
            # What was not understood may be an address with a token in it.
            shown = quoted(command) if command.replace("-", "").isalpha() else "this"
            meant = did_you_mean(command, PINGED)
            raise ValueError(f"{shown} does not ping; what does: {', '.join(PINGED)}{meant}")
        lines.append(f"{command}: {SECRET_URL.read(address, absolute).reveal()}")
    return Secret("\n".join(lines))


def _is_address(text: str) -> bool:
    """Whether this is one address: what begins with a command's name lists several."""
    command, _, _ = text.partition(":")
    return "\n" not in text.strip() and command.strip() not in PINGED


PINGS = ValueKind(_read_pings, str, is_secret=True)
