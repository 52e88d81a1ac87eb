"""Key files that belong to another user than the bot's: what a script or a restore by hand as root leaves behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from stat import S_IMODE, S_IWGRP, S_IWOTH, S_IWUSR, S_IXUSR
from typing import NamedTuple, Protocol

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.units import counted


class OwnedFile(Protocol):
    """What tells who may write a file. `os.stat_result` is one."""

    @property
    def st_mode(self) -> int: ...

    @property
    def st_uid(self) -> int: ...


class GroupedFile(OwnedFile, Protocol):
    """What tells who else may write it."""

    @property
    def st_gid(self) -> int: ...


class ProcessUser(NamedTuple):
    """As whom a process runs. `may_all`: it is root, or has the capability that files ask of nobody else.

    In a user namespace that holds for files alone whose owner and group are mapped there (`user_namespaces(7)`):
    `uids` and `gids` are those, None for all. A rootless container's root is no root to what stands outside.
    """

    uid: int
    gid: int
    groups: frozenset[int] = frozenset()
    may_all: bool = False
    uids: tuple[range, ...] | None = None
    gids: tuple[range, ...] | None = None

    def may_all_of(self, file: GroupedFile) -> bool:
        """Whether no bits of this file stop it."""
        return (
            self.may_all
            and (self.uids is None or any(file.st_uid in ids for ids in self.uids))
            and (self.gids is None or any(file.st_gid in ids for ids in self.gids))
        )


class Unwritable(NamedTuple):
    """What the system lets nobody write, whoever owns it: what it is, and what to do about it."""

    what: str
    action: str


def may_write(file: GroupedFile, user: ProcessUser, *, is_folder: bool = False) -> bool:
    """Whether the bits of a file let a user write it; of a folder, whether it may make and remove files in it."""
    if user.may_all_of(file):
        return True
    wanted = 0o3 if is_folder else 0o2
    shift = 6 if file.st_uid == user.uid else 3 if file.st_gid in user.groups else 0
    return (file.st_mode >> shift) & wanted == wanted


def cannot_write_finding(
    company: str,
    path: str,
    user: ProcessUser,
    shut: Sequence[tuple[str, GroupedFile]],
    held: Sequence[Unwritable] = (),
) -> Finding | None:
    """Given what of its folder the bot's own process may not write ("" is the folder), and what nobody may, return the
    finding."""
    if not shut and not held:
        return None
    names = dict(shut)
    parts = [one.what for one in held]
    if "" in names:
        parts.append(f"the folder (uid {names[''].st_uid}, mode {S_IMODE(names[''].st_mode):03o})")
    if "creds.json" in names:
        parts.append(f"creds.json (uid {names['creds.json'].st_uid})")
    if others := len(names.keys() - {"", "creds.json"}):
        parts.append(f"{counted(others, 'other file')} of a few that were asked")
    is_bad = bool(held) or "" in names or "creds.json" in names
    actions = [one.action for one in held]
    if shut:
        chown = command("chown -R {} {}", f"{user.uid}:{user.gid}", path)
        actions.append(f"Give the folder to the bot: {chown}")
    return Finding(
        "bot-cannot-write",
        Severity.CRITICAL if is_bad else Severity.WARNING,
        company,
        f"the bot's process (uid {user.uid}) may not write {', '.join(parts)}: what it saves is lost at its next start",
        " ".join(actions),
        {"uid": user.uid, "files": len(shut) + len(held)},
    )


def main_owner(files: Mapping[str, OwnedFile]) -> int | None:
    """Given key files, return who owns most of them: the bot's user, as far as files tell."""
    owners = Counter(one.st_uid for one in files.values())
    return owners.most_common(1)[0][0] if owners else None


def foreign_files(files: Mapping[str, OwnedFile]) -> list[str]:
    """Given key files, return the names of those that another user owns than the owner of most."""
    owner = main_owner(files)
    return sorted(name for name, one in files.items() if one.st_uid != owner)


def not_writable(files: Mapping[str, OwnedFile]) -> list[str]:
    """Given key files, return the names of those that the owner of most may not write; root may write all."""
    owner = main_owner(files)
    return sorted(name for name, one in files.items() if owner and _is_shut(one, owner))


def owner_findings(
    company: str, files: Mapping[str, OwnedFile], folder: OwnedFile | None = None
) -> Iterator[Finding]:
    """A bot that may not write a file loses what it meant to save there. Root may write everything.

    `folder` is the session folder itself, where it was looked at: who owns the files has to make and remove some in it.
    """
    names, shut = foreign_files(files), not_writable(files)
    owner = main_owner(files)
    if owner is None:
        return

    def finding(severity: Severity, told: str, action: str) -> Finding:
        data = {"files": len(names) or len(shut), "owner": owner}
        return Finding("foreign-owner", severity, company, told, action, data)

    inspection = command("baileys-tools inspect --company {} -v", company)
    if owner and folder is not None and _is_shut(folder, owner, S_IWUSR | S_IXUSR):
        mode, so = f"mode {S_IMODE(folder.st_mode):03o}", "who may add no key there and remove none"
        if folder.st_uid == owner:
            told = f"the folder ({mode}) is shut for its own owner, uid {owner}, {so}"
            yield finding(
                Severity.CRITICAL, told, f"Open the folder with chmod u+rwx ({inspection} names it)"
            )
        else:
            told = f"the folder belongs to uid {folder.st_uid} ({mode}) and its files to uid {owner}, {so}"
            action = f"Give the folder to {owner} with chown -R ({inspection} names it)"
            yield finding(Severity.CRITICAL, told, action)
        return
    if not names and not shut:
        return
    severity = Severity.NOTICE
    what = "the bot can still write them"
    if "creds.json" in shut:
        severity, what = Severity.CRITICAL, "creds.json among them: the bot cannot save its login"
    elif shut:
        severity, what = Severity.WARNING, "the bot cannot save these"
    if names:
        told = (
            f"{counted(len(names), 'key file')} of another owner than the other files (uid {owner}); {what}"
        )
        yield finding(severity, told, f"Give them back to {owner} with chown ({inspection} names them)")
    else:
        told = f"{counted(len(shut), 'key file')} that their own owner (uid {owner}) may not write; {what}"
        yield finding(severity, told, f"Make them writable with chmod u+rw ({inspection} names them)")


def _is_shut(file: OwnedFile, uid: int, wanted: int = S_IWUSR) -> bool:
    """Whether a user may not do with a file what the bits `wanted` of an owner say. Of which groups the user is, nobody
    knows here."""
    if file.st_uid == uid:
        return file.st_mode & wanted != wanted
    return not file.st_mode & (S_IWOTH | S_IWGRP)
