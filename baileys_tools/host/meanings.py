"""What the words mean that are no codes of findings: diagnoses of `recover`, states of companies, levels of folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from baileys_tools.bots.rules.diagnosis import Cause
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.host.pages import page
from baileys_tools.host.show.page_text import plain
from baileys_tools.thresholds import LEVELS, Level

DIAGNOSES: Mapping[Cause, str] = {
    Cause.HEALTHY: "Nothing says that the bot is away.",
    Cause.RESTARTING: "The bot was started a moment ago, or the server asked it to (515): it will be there soon.",
    Cause.NETWORK: "Something between the bot and the server: 408, 428, 503, refused, no such name.",
    Cause.TWO_PROCESSES: "Two processes use one session and push each other out (440).",
    Cause.TEMPORARY_AUTH: "401 without a word about the device: the same login is often let in a little later.",
    Cause.LOGGED_OUT: "WhatsApp removed the device. Only a new pairing helps.",
    Cause.BANNED: "WhatsApp refuses the account (403).",
    Cause.OUTDATED_CLIENT: "WhatsApp no longer takes this version of Baileys (405): update the bot.",
    Cause.CREDS_LOST: "creds.json held a login and is empty, torn or gone. A snapshot can bring it back.",
    Cause.HUNG: "The process runs and does nothing: no line in the log, no connection.",
    Cause.STOPPED: "The bot's process does not run.",
    Cause.NOT_LINKED: "Nobody has scanned the bot's first code, or that after a reset: it is not away.",
    Cause.UNKNOWN: "The bot is away, or may be, and nothing tells why.",
}

STATES: Mapping[str, str] = {
    "healthy": "Nothing was found that is worth a warning.",
    "warning": "The worst finding is a warning: in working hours.",
    "critical": "The worst finding is critical: today.",
    "emergency": "The session is lost, or about to be: now.",
    "unreadable": "The folder cannot be read, so nobody knows how the company is.",
    "gone": "The folder was there, and has vanished.",
}
"""What `status` says of a company, mildest first."""

WORDS = frozenset({*DIAGNOSES, *STATES, *LEVELS})


def meaning(word: str) -> list[str]:
    """Given a word of `WORDS`, return what it means and what to type, line by line: of each thing of that name."""
    style = Style()
    lines = []
    if word in frozenset(DIAGNOSES):
        lines += [style.paint(f"{word}: a diagnosis of recover", "bold")]
        lines += [*wrapped(DIAGNOSES[Cause(word)], WIDTH, "  "), ""]
        if does := _what_recover_does(word):
            lines += [*wrapped(f"What recover does: {plain(does)}", WIDTH, "  ", "    "), ""]
        lines += [*_to_type("recover --company ID --dry-run", "help recovery"), ""]
    if word in STATES:
        lines += [
            style.paint(f"{word}: the state of a company", "bold"),
            *wrapped(STATES[word], WIDTH, "  "),
            "",
        ]
        lines += [*_to_type("status --company ID", "inspect --company ID"), ""]
    if word in frozenset(LEVELS):
        lines += [style.paint(f"{word}: a level of counted files", "bold"), *_level(Level(word)), ""]
    return lines


def _what_recover_does(cause: str) -> str:
    """Return what the table of recovery.md says of a diagnosis, "" where it has no row."""
    rows = (line.strip("| ").split(" | ") for line in page("recovery").splitlines() if line.startswith("| `"))
    return next((cells[1] for cells in rows if len(cells) == 2 and f"`{cause}`" in cells[0]), "")


def _level(level: Level) -> Iterator[str]:
    from baileys_tools.config import Settings

    thresholds = Settings().thresholds
    least = getattr(thresholds, level.value, None)
    said = f"Under {thresholds.warning} files" if least is None else f"From {least} files on"
    if level is Level.DANGER:
        said = f"Above {least} files"
    yield from wrapped(
        f"{said}, where the settings say nothing else. It is about the number of files alone, not about the login.",
        WIDTH,
        "  ",
    )
    yield from ("", *_to_type("help policy", "cleanup --dry-run"))


def _to_type(*commands: str) -> list[str]:
    """Return the commands of this tool to look with, ready to be copied."""
    return [
        f"  {'Look with: ' if not number else '':11}baileys-tools {one}"
        for number, one in enumerate(commands)
    ]
