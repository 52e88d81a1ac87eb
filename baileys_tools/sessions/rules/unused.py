"""Which device lists and identity keys belong to nobody with a session.

A device list is read for a user who has a session (baileys `Signal/libsignal.js`: `migrateSession`), and an identity
key tells whether the one that a session was made with has changed.
"""

from collections.abc import Sequence
from itertools import chain

from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import Kind, key_id_of


def unused(folder: FolderFacts) -> dict[Kind, Sequence[str]]:
    """Given a folder, return the device lists and identity keys that no session there uses.

    Without a LID mapping there are none: they alone tell then that Baileys 7 wrote the folder, which the guard of
    pre-keys rests on. An entry that is called like a session and is no plain file may be what the bot reads.
    """
    lists, identities = folder.of(Kind.DEVICE_LIST), folder.of(Kind.IDENTITY_KEY)
    if not (lists or identities) or not folder.of(Kind.LID_MAPPING):
        return {Kind.DEVICE_LIST: (), Kind.IDENTITY_KEY: ()}
    odd = [name for name in folder.of(Kind.UNKNOWN) if name.startswith("session-")]
    addresses = {name[len("session-") :] for name in chain(folder.of(Kind.SESSION), odd)}
    users = {_bare(address.partition(".")[0]) for address in addresses}
    return {
        Kind.DEVICE_LIST: [name for name in lists if _bare(key_id_of(name, Kind.DEVICE_LIST)) not in users],
        Kind.IDENTITY_KEY: [name for name in identities if name[len("identity-key-") :] not in addresses],
    }


def _bare(user: str) -> str:
    """Given a user, return it without its address domain: `270996591579169` for `270996591579169_1`."""
    return user.partition("_")[0]
