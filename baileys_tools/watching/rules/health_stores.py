"""What is wrong with a session because of how it stands in a database, and with the database for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.sessions.stored.rules.files import Files
from baileys_tools.units import counted, printable


def store_findings(company: str, files: Files, expiring: int, *, is_half_changed: bool) -> Iterator[Finding]:
    """Given a session of a store as files, yield what of its rows no bot finds or nobody understands.

    `expiring` is how many of its records the store, or its program, will remove by a time kept for them.
    `is_half_changed`: a command died when it had changed the keys and not yet the creds.
    """
    if is_half_changed:
        yield Finding(
            "store-half-changed",
            Severity.CRITICAL,
            company,
            "A command was cut off when it had changed the keys of this session and not yet its creds",
            "Run it again before the bot starts, it completes what is missing: "
            + command("baileys-tools restore --company {}", company),
            {},
        )
    misfiled = sum(one.meant is not None for one in files.misfits)
    unknown = len(files.misfits) - misfiled
    if misfiled:
        yield Finding(
            "store-rows-misfiled",
            Severity.WARNING,
            company,
            f"{counted(misfiled, 'row')} filed under half a type (pre and key-5): the bot finds none of them",
            "Stop the bot, and see what a move mends: "
            + command("baileys-tools migrate --company {} --to NEW --mend --dry-run", company),
            {"rows": misfiled},
        )
    if unread := files.unread():
        yield Finding(
            "store-values-unread",
            Severity.WARNING,
            company,
            f"{counted(len(unread), 'value')} of {len(files.content)} cannot be read with the codec of the "
            "settings",
            "Is it the codec of the bot's program, and does that encrypt its values? "
            + command("baileys-tools config check"),
            {"values": len(unread), "records": len(files.content)},
        )
    if unknown:
        most = unknown > len(files.content)
        yield Finding(
            "store-rows-unknown",
            Severity.WARNING if most else Severity.NOTICE,
            company,
            f"{counted(unknown, 'row')} beside {len(files.content)} left alone: of no type that Baileys has, or there "
            "twice",
            "Are preset, key and ids those of the bot's program? " + command("baileys-tools config check"),
            {"rows": unknown, "records": len(files.content)},
        )
    if expiring:
        yield Finding(
            "store-keys-expire",
            Severity.WARNING,
            company,
            f"{counted(expiring, 'record')} will be removed at a set time, though a bot writes them once and needs "
            "them for good",
            "Set no time to live (SESSION_TTL, EXPIRE, expires_at) for sessions, and stop the cleaner that goes by it.",
            {"records": expiring},
        )


def endangered_stores(
    dangers: Mapping[str, Sequence[str]], doubled: Mapping[str, str], nameless: Mapping[str, str]
) -> Iterator[Finding]:
    """Given by address what endangers all sessions of a store, and in words which of its tenants are doubled and which
    are called as no company can be, yield findings."""
    in_words = {address: ", ".join(found) for address, found in dangers.items()}
    for code, told, action in (
        (
            "store-unsafe",
            in_words,
            "Mend it in the settings of the server: a login that is lost there is lost for good.",
        ),
        (
            "store-tenants-twice",
            doubled,
            "See which of the two the bot writes, and take the other out of the table by hand.",
        ),
        (
            "store-tenants-passed-by",
            nameless,
            "Give them names of one line without a slash; baileys-tools sessions lists them.",
        ),
    ):
        if lines := [f"{printable(address)}: {printable(found)}" for address, found in told.items() if found]:
            yield Finding(code, Severity.WARNING, "", "; ".join(lines), action, {"stores": len(lines)})
