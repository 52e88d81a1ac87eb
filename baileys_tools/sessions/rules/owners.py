"""Key files that belong to another user than the bot's: what a script or a restore by hand as root leaves behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from stat import S_IWGRP, S_IWOTH
from typing import Protocol

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.units import counted


class OwnedFile(Protocol):
    """What tells who may write a file. `os.stat_result` is one."""

    @property
    def st_mode(self) -> int: ...

    @property
    def st_uid(self) -> int: ...


def main_owner(files: Mapping[str, OwnedFile]) -> int | None:
    """Given key files, return who owns most of them: the bot's user, as far as files tell."""
    owners = Counter(one.st_uid for one in files.values())
    return owners.most_common(1)[0][0] if owners else None


def foreign_files(files: Mapping[str, OwnedFile]) -> list[str]:
    """Given key files, return the names of those that another user owns than the owner of most."""
    owner = main_owner(files)
    return sorted(name for name, one in files.items() if one.st_uid != owner)


def owner_findings(company: str, files: Mapping[str, OwnedFile]) -> Iterator[Finding]:
    """A bot that may not write a file loses what it meant to save there. Root may write everything."""
    names = foreign_files(files)
    owner = main_owner(files)
    if not names or owner is None:
        return
    shut = [name for name in names if owner and not files[name].st_mode & (S_IWOTH | S_IWGRP)]
    severity = Severity.WARNING if shut else Severity.NOTICE
    if "creds.json" in shut:
        severity = Severity.CRITICAL
    what = (
        "creds.json among them: the bot cannot save its login"
        if "creds.json" in shut
        else "the bot cannot save these"
        if shut
        else "the bot can still write them"
    )
    yield Finding(
        "foreign-owner",
        severity,
        company,
        f"{counted(len(names), 'key file')} of another owner than the other files (uid {owner}); {what}",
        f"Give them back to {owner} with chown "
        f"({command('baileys-tools inspect --company {} -v', company)} names them)",
        {"files": len(names), "owner": owner},
    )
