"""What one look at a session folder saw, as the state keeps it for the next one."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from baileys_tools.findings import Finding, Severity
from baileys_tools.sessions.rules.creds import CredsState


class Stamp(NamedTuple):
    """What tells one state of a folder from another without listing it: times in ns, 0 for creds that are missing.

    A folder's time moves when files come and go, not when one is rewritten; creds.json has to be asked itself. Its
    `creds_ctime` moves also where somebody changes who may read it. A session of a store has only `stored`.
    """

    folder_mtime: int
    folder_inode: int
    creds_mtime: int
    creds_size: int
    creds_inode: int
    creds_ctime: int
    stored: str = ""


class Look(NamedTuple):
    """One look at a folder, as it is remembered. Times are seconds since 1970.

    `settled` is false when the folder changed so shortly before that the same stamp could hide another change.
    `guarded` pre-keys do not count for the thresholds, nor do `uncounted` files, by their kind. `was_linked` says that
    `creds` were once valid. `full_at` is when all files were last looked at, with their `size` (bytes), when the newest
    was written, and how many counted files even the emergency limits would leave (0: not too many).
    `observed_at` and `observed_counted` are what history has. `findings` depend on the folder alone and not on the
    time; `trouble` says why the folder could not be read. `gone_since` is set when the folder has vanished. `login`
    tells the linked device that creds.json was last seen to belong to (`Creds.login`); `inbound` is when the last
    message came in, 0 where nothing tells. `server_at` is when the server told the count of pre-keys that was used.
    """

    stamp: Stamp
    settled: bool
    files: int
    guarded: int
    by_kind: Mapping[str, int]
    creds: CredsState
    was_linked: bool
    full_at: int
    size: int
    written_at: int
    strictest_leaves: int
    findings: Sequence[Finding]
    trouble: str = ""
    observed_at: int = 0
    observed_counted: int = -1
    connection: str = ""
    gone_since: int = 0
    login: str = ""
    uncounted: int = 0
    inbound: int = 0
    server_at: int = 0

    @property
    def counted(self) -> int:
        """Files that count for the thresholds."""
        return self.files - self.guarded - self.uncounted


def to_plain(look: Look) -> list[Any]:
    """Given a look, return it as JSON can hold it."""
    findings = [
        [one.code, one.severity.value, one.message, one.action, dict(one.facts)] for one in look.findings
    ]
    return [*look._replace(stamp=list(look.stamp), by_kind=dict(look.by_kind), findings=findings)]  # type: ignore[arg-type]


def from_plain(company: str, plain: Any) -> Look | None:
    """Given what `to_plain` returned, return the look; None for anything else, which then is looked at anew."""
    try:
        # One of before is shorter, and what it says of a login is not to be lost.
        look = Look(*plain)
        found: Any = look.findings
        findings = tuple(
            Finding(code, Severity(severity), company, message, action, facts)
            for code, severity, message, action, facts in found
        )
        return look._replace(stamp=Stamp(*look.stamp), creds=CredsState(look.creds), findings=findings)
    except (TypeError, ValueError):
        return None
