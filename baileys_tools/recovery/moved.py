"""Sessions that `migrate` has moved elsewhere: to bring their creds back here makes a second owner of one login."""

from datetime import datetime

from baileys_tools.bots.bot_facts import creds_fact
from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.pasted import command
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.state.database import State, open_state
from baileys_tools.state.moved import Move, moved_from
from baileys_tools.units import printable


def where_it_is(state: State, root: Root, company: Company) -> Move | None:
    """Return where a session was moved to that has no creds here, None where it was not."""
    return moved_from(state, company.place) if creds_fact(root, company) is CredsState.MISSING else None


def require_not_moved(
    settings: Settings, root: Root, company: Company, now: datetime, *, force: bool
) -> None:
    """Raise exit code 13 where a session was moved, and no creds stand here again."""
    if force or creds_fact(root, company) is not CredsState.MISSING:
        return
    with open_state(settings.state.dir, now) as state:
        moved = moved_from(state, company.place)
    if moved is not None:
        raise BaileysToolsError(
            f"refused: `migrate` has moved this session to {printable(moved.to)}, and two owners of one login break "
            "every chat",
            f"The way back, while no bot has run there: {command('baileys-tools undo --list')}. Where the new place is "
            "lost: --force.",
            exit_code=ExitCode.REFUSED,
        )
