"""Which companies a run is about: those that the settings choose below the sessions path."""

from collections.abc import Mapping, Sequence
from os.path import realpath
from typing import TYPE_CHECKING, Any, NamedTuple

from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.sessions.roots import Company, Root, choose
from baileys_tools.units import some_of

if TYPE_CHECKING:
    # A quiet cleanup of every minute opens no state.
    from baileys_tools.state.database import State


def all_companies(root: Root, settings: Settings, state: "State | None" = None) -> list[Company]:
    """Return all companies below a root. With a state, also a single folder that has lost everything it held."""
    known = kept_looks(state, root.path).looks if state is not None else ()
    return root.companies(settings.sessions.multitenancy, known)


def companies_of_run(
    root: Root, settings: Settings, state: "State | None" = None, only: Sequence[str] | None = None
) -> list[Company]:
    """Return the companies that the settings choose, at least one. `only` are other ids than theirs.

    Raises exit code 10, with what is there, for an id that is not, and where there is no company at all.
    """
    wanted = settings.sessions.companies if only is None else only
    companies = choose(all_companies(root, settings, state), wanted, root.path)
    if not companies:
        raise no_session_folder(root)
    return companies


def the_one_company(root: Root, settings: Settings, verb: str, state: "State | None" = None) -> Company:
    """Return the one company that the settings choose, for a verb that looks at one. Raises as above, or UsageError."""
    companies = companies_of_run(root, settings, state)
    if len(companies) > 1:
        known = some_of([company.id for company in companies])
        raise UsageError(
            f"{len(companies)} companies in {root.path}, and {verb} looks at one",
            f"Name it with --company: {known}. All of them at a glance: baileys-tools status",
        )
    return companies[0]


def no_session_folder(root: Root) -> BaileysToolsError:
    """Return the error of a root without companies, with the hint where they could be."""
    others = root.folders_with_creds()
    hint = "A sessions path holds company_<id> folders, or is itself a folder with a creds.json."
    if others:
        hint = (
            f"{len(others)} folder(s) there hold a creds.json under another name ({', '.join(others[:3])}): "
            "name one of them with --sessions, or rename it to company_<id>."
        )
    return BaileysToolsError(f"no session folder in {root.path}", hint, exit_code=ExitCode.NOT_FOUND)


class KeptLooks(NamedTuple):
    """The looks of earlier passes by company, as `rules/looks.py: to_plain` has them; `rules` made their findings."""

    looks: Mapping[str, Any] = {}
    rules: object = None
    where: object = ""
    """The flags that said where the bots are (`pasted.where`)."""


def kept_looks(state: "State", root: str) -> KeptLooks:
    """Return what the monitor remembers below a root: one document, so for many companies it is read once."""
    from baileys_tools.sessions.look import LOOKS
    from baileys_tools.state.memory import recall

    kept = recall(state, LOOKS)
    if not isinstance(kept, dict) or not isinstance(kept.get("looks"), dict):
        return KeptLooks()
    is_here = kept.get("root") == root or kept.get("place") == realpath(root)
    return KeptLooks(kept["looks"], kept.get("rules"), kept.get("where", "")) if is_here else KeptLooks()
