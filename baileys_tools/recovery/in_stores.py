"""What a snapshot and the signs of a bot are where a session is brought back in a store."""

from __future__ import annotations

from collections.abc import Mapping

from baileys_tools.bots.asking import BotSigns
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.records import CREDS, record_of
from baileys_tools.sessions.rules.snapshot import StoredFile
from baileys_tools.sessions.stored.copies import working_copy
from baileys_tools.units import printable


def what_may_stand(root: Root, company: Company, files: Mapping[str, StoredFile]) -> dict[str, StoredFile]:
    """Given the files of a snapshot, return those that can stand where a company does: in a store creds and records."""
    if root.bases[company.base].stored is None:
        return dict(files)
    return {name: file for name, file in files.items() if name == CREDS or record_of(name) is not None}


def signs_there(folder: int, signs: BotSigns) -> BotSigns:
    """Given what shows that a bot runs, return it with what a store tells of it. Raises StoreTrouble."""
    copy = working_copy(folder)
    if copy is None:
        return signs
    if owner := copy.store.owner(copy.tenant):
        told = f"a worker holds the lease of its session ({printable(owner[:60])})"
        return signs._replace(running=(*signs.running, told))
    return signs
