"""Takes in what a place of copies has that this repository has not."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.sessions.rules.snapshot import SnapshotInfo
from baileys_tools.snapshots.archive import DamagedSnapshot
from baileys_tools.snapshots.copies import first_of, in_words
from baileys_tools.snapshots.places.copy_place import CUT_OFF, CopyPlace
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.shelf_names import name_of


class Fetched(NamedTuple):
    """The snapshots of a company that came from a place, and those that arrived damaged and were not taken in.

    `trouble` says what could not be read there, or stored here, "" where all could.
    """

    taken: list[SnapshotInfo]
    refused: list[SnapshotInfo]
    trouble: str = ""


def fetch_copies(
    repository: Repository, url: str, wanted: Sequence[str], timeout: timedelta
) -> dict[str, Fetched]:
    """Fetch the snapshots of the wanted companies (none: all) that the repository does not have.

    Each is published as a new one would be: whole, under its own name. Nothing is written or removed there. Raises
    exit code 10 for a company that is not there, BaileysToolsError when the place cannot be read.
    """
    try:
        place = CopyPlace(url, timeout)
        try:
            there = place.companies()
            chosen = [shelf for shelf in there if not wanted or shelf in wanted or name_of(shelf) in wanted]
            missing = [one for one in wanted if one not in chosen and one not in map(name_of, chosen)]
            if missing or not there:
                of_whom = f" of company {', '.join(missing)}" if missing else ""
                raise BaileysToolsError(
                    f"no snapshots{of_whom} in {url}",
                    f"Companies found there: {', '.join(there[:10]) or 'none'}.",
                    exit_code=ExitCode.NOT_FOUND,
                )
            return {company: _fetch_company(repository, place, company) for company in chosen}
        finally:
            with suppress(Exception):
                place.close()
    except BaileysToolsError:
        raise
    except Exception as error:
        raise BaileysToolsError(f"cannot fetch from {url}: {in_words(error)}") from error


def _fetch_company(repository: Repository, place: CopyPlace, company: str) -> Fetched:
    """The newest first, as it is needed most. One that cannot be had makes the others all the more needed."""
    taken: list[SnapshotInfo] = []
    refused: list[SnapshotInfo] = []
    troubles = []
    try:
        with repository.writing(company) as writer:
            here = {info.file for info in writer.snapshots()}
            there = [info for info in place.snapshots(company) if info.file not in here and not info.damaged]
            for info in sorted(there, key=lambda one: one.order, reverse=True):
                try:
                    taken.append(writer.publish_file(info.file, place.fetch(info)))
                except DamagedSnapshot:
                    refused.append(info)
                except CUT_OFF:
                    raise
                except OSError as error:
                    troubles.append(f"snapshot {info.id} there could not be taken in: {in_words(error)}")
    except CUT_OFF:
        raise
    except OSError as error:
        troubles.append(in_words(error))
    if troubles:
        place.companies()  # raises where it was the connection: the library for SFTP does not say so
    return Fetched(taken[::-1], refused[::-1], first_of(troubles))
