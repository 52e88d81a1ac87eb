"""Whether a copy of `creds.json` beside it is of the login that its folder had last."""

from enum import StrEnum

from baileys_tools.sessions.rules.creds import Creds
from baileys_tools.sessions.rules.snapshot import Account


class Proof(StrEnum):
    """What is known of the login in a copy of `creds.json`."""

    SAME = "same-login"
    UNPROVEN = "unproven-login"
    """Nothing remembers the login of this folder: no look of the monitor, no snapshot."""
    OTHER = "other-login"


def proof_of(creds: Creds, account: Account, last_login: str, newest: Account | None) -> Proof:
    """Given creds and what is remembered, say whether they are of the folder's login.

    `last_login` is what the monitor saw last ("": nothing), `newest` whose session the newest snapshot holds. The
    monitor's look counts first: since the snapshot the bot may have been paired anew.
    """
    if last_login:
        return Proof.SAME if creds.login == last_login else Proof.OTHER
    if newest is not None:
        return Proof.SAME if account.identity == newest.identity else Proof.OTHER
    return Proof.UNPROVEN
