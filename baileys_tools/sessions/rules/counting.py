"""How many files of a folder count for the thresholds."""

from typing import NamedTuple

from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import (
    ONLY_IN_7,
    REMOVED_BY_DEFAULT,
    UNCOUNTED,
    Kind,
    pre_key_ids,
)
from baileys_tools.sessions.rules.prekeys import FEWEST_KEPT, PreKeyPool, apply_pre_key_rule
from baileys_tools.sessions.rules.unused import unused
from baileys_tools.thresholds import Thresholds


class FileCount(NamedTuple):
    """The files of a folder, and how many of them are pre-keys that the server still hands out.

    `fixed` is how many counted files no cleanup can take away, whatever its limits. `uncounted` are those of kinds that
    do not count by the settings.
    """

    files: int
    guarded: int
    fixed: int
    uncounted: int = 0

    @property
    def counted(self) -> int:
        """What is compared with the thresholds."""
        return self.files - self.guarded - self.uncounted


def count_files(
    folder: FolderFacts, pre_keys_kept: int, *, guard: bool, thresholds: Thresholds | None = None
) -> FileCount:
    """Given the names in a folder, return its count as the cleanup policy has it."""
    pre_keys = len(folder.of(Kind.PRE_KEY))
    guarded = len(guarded_pre_keys(folder, pre_keys_kept, guard=guard))
    counts = thresholds.counts if thresholds is not None else None
    uncounted = 0
    if thresholds is not None and counts is not None:
        uncounted = thresholds.uncounted(counted_kinds(folder).items())
    kept = UNCOUNTED | REMOVED_BY_DEFAULT
    fixed = [kind for kind in folder.names if kind not in kept and (counts is None or kind in counts)]
    stays = sum([len(folder.names[kind]) for kind in fixed])
    if thresholds is not None and folder.file_count - guarded - uncounted >= thresholds.danger:
        # What no session uses goes in an emergency alone.
        stays -= sum(len(names) for kind, names in unused(folder).items() if kind in fixed)
    return FileCount(folder.file_count, guarded, stays + min(FEWEST_KEPT, pre_keys - guarded), uncounted)


def counted_kinds(folder: FolderFacts) -> dict[Kind, int]:
    """Return how many files a folder has of each kind that counts unless the settings say otherwise."""
    return {kind: len(names) for kind, names in folder.names.items() if kind not in UNCOUNTED}


def guarded_pre_keys(folder: FolderFacts, pre_keys_kept: int, *, guard: bool) -> frozenset[int]:
    """Given the names in a folder, return the ids over the limit that the server most likely still hands out.

    Without readable creds nothing is known of counters, and the density of the ids has to do.
    """
    creds = folder.creds if isinstance(folder.creds, Creds) else _NO_CREDS
    # Most folders have too few, and the watching counts a thousand of them in a minute.
    if not guard or len(folder.of(Kind.PRE_KEY)) <= pre_keys_kept:
        return frozenset()
    return apply_pre_key_rule(pre_key_pool(folder, creds), pre_keys_kept, guard=True).guarded


def pre_key_pool(folder: FolderFacts, creds: Creds) -> PreKeyPool:
    """Given a folder, return its pre-keys with what creds and the times of their files say of them."""
    names = folder.of(Kind.PRE_KEY)
    ids = pre_key_ids(names)
    stats = folder.stats
    return PreKeyPool(
        ids=sorted(ids),
        next_id=creds.next_pre_key_id,
        first_unuploaded_id=creds.first_unuploaded_pre_key_id,
        topped_up_by_fives=is_version_7(folder),
        written={i: stats[name].st_mtime_ns for i, name in zip(ids, names, strict=True) if name in stats},
        server=folder.server,
    )


def is_version_7(folder: FolderFacts) -> bool:
    """Whether Baileys 7 wrote into a folder: 6 knows none of these kinds."""
    return not folder.names.keys().isdisjoint(ONLY_IN_7)


_NO_CREDS = Creds(None, None, None, None, paired=False)
