"""Which companies a run is about: those that the settings choose below the sessions path."""

import os
from collections.abc import Container, Iterable, Mapping, Sequence, Set
from contextlib import suppress
from datetime import datetime
from os.path import isdir, join, realpath
from typing import TYPE_CHECKING, Any, NamedTuple

from baileys_tools.config import Settings
from baileys_tools.config.companies import Standing
from baileys_tools.errors import BaileysToolsError, ExitCode, NothingThere, UsageError
from baileys_tools.layouts import real_path, roots_of
from baileys_tools.pasted import command
from baileys_tools.sessions.names import COMPANY_PREFIX, called_by
from baileys_tools.sessions.roots import Company, Root, is_session_folder
from baileys_tools.units import did_you_mean, some_of

if TYPE_CHECKING:
    # A quiet cleanup of every minute opens no state.
    from baileys_tools.state.database import State


def all_companies(
    root: Root, settings: Settings, state: "State | None" = None, known: "KeptLooks | None" = None
) -> list[Company]:
    """Return all companies below a root. With a state, also a single folder that has lost everything it held.

    The state is then about these companies: what is kept by place is found by their names. `known` is what it was
    `kept_looks` for a moment ago.
    """
    if state is None:
        return root.companies(settings.sessions.multitenancy)
    known = known or kept_looks(state, root.path)
    companies = root.companies(settings.sessions.multitenancy, known.looks)
    look_from(state, root.path, companies, known)
    return companies


def ids_here(settings: Settings) -> list[str]:
    """Return the ids of the companies that there are; none where no sessions path is given, or it cannot be read."""
    return [company.id for company in companies_here(settings)]


def companies_here(settings: Settings, known: Container[str] = ()) -> list[Company]:
    """As `ids_here`, the companies themselves. `known` as for `Root.companies`."""
    where = settings.sessions.where
    if where is None:
        return []
    try:
        with Root(where) as root:
            return root.companies(settings.sessions.multitenancy, known)
    except BaileysToolsError:
        return []


def _require_no_other(name: str, companies: Sequence[Company]) -> None:
    """Raise exit code 2 for a name that no company has alone."""
    same = [company for company in companies if company.name == name]
    if same and name not in [company.id for company in companies]:
        raise several_of_that_name(name, same)


def companies_of_run(
    root: Root, settings: Settings, state: "State | None" = None, only: Sequence[str] | None = None
) -> list[Company]:
    """Return the companies that the settings choose, at least one. `only` are other ids than theirs.

    Raises exit code 10, with what is there, for an id that is not (see `choose`), and where there is no company at all.
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
            f"Name it with --company: {known}. All of them at a glance: {command('baileys-tools status')}",
        )
    return companies[0]


def choose(companies: Sequence[Company], wanted: Sequence[str], root: str) -> list[Company]:
    """Given the companies found and the ids asked for (none: all), return those to work on.

    An id is compared with the listing and never becomes part of a path. Raises exit code 10 with the ids that
    are there when one is not found. Of `Standing` ids one at least has to be there: whoever removes a folder, or makes
    a second one of its name, stops no other. One that is not there then comes back as a company that cannot be
    opened, and a name that several places have is about each of them, as its rules are.
    """
    if not wanted:
        return list(companies)
    by_id = {company.id: company for company in companies}
    missing = [company_id for company_id in wanted if company_id not in by_id]
    if missing and isinstance(wanted, Standing):
        there = [one for one in companies if one.id in wanted or one.name in wanted]
        if there:
            names = {one.name or one.id for one in there} | by_id.keys()
            return [*there, *(_missing(name, list(by_id), root) for name in missing if name not in names)]
    if missing:
        _require_no_other(missing[0], companies)
        if [company.entry for company in companies] == ["."]:
            raise BaileysToolsError(
                f"no company {', '.join(missing)} in {root}{did_you_mean(missing[0], list(by_id))}",
                f"It is a single session folder, company {companies[0].id}: leave out --company and COMPANY_ID.",
                exit_code=ExitCode.NOT_FOUND,
            )
        raise no_such_company(f"no company {', '.join(missing)} in {root}", missing, list(by_id))
    return [by_id[company_id] for company_id in dict.fromkeys(wanted)]


def _missing(company_id: str, known: Sequence[str], root: str) -> Company:
    why = (
        f"there is no such company{did_you_mean(company_id, known)}. If it is gone for good, take it out of "
        "sessions.companies in the settings, or of COMPANY_ID"
    )
    place = where_it_stood(real_path(root), company_id)
    return Company(company_id, COMPANY_PREFIX + company_id, root, real=place, missing=why)


def several_of_that_name(name: str, companies: Sequence[Company]) -> BaileysToolsError:
    """Return the error of a name that more than one place claims: it lists them, exit code 2."""
    return BaileysToolsError(
        f"{len(companies)} companies are called {name}",
        "Name the one that is meant:\n"
        + "\n".join(
            f"{command('  --company {}', company.id)}   {company.path}" for company in companies[:10]
        ),
        exit_code=ExitCode.USAGE,
    )


def require_known(settings: Settings, wanted: Sequence[str]) -> None:
    """Raise exit code 10 for a company that is none of those that there are, where that can be told."""
    found = companies_here(settings)
    if found:
        choose(found, wanted, settings.sessions.where or "")


def is_single(settings: Settings) -> bool:
    """Whether the settings name one session folder, which may have been emptied, or be gone itself."""
    where = settings.sessions.where
    if where is None or settings.sessions.multitenancy is True:
        return False
    with Root(where, keep_lost=True) as root:
        base = root.bases[0]
        if len(root.bases) > 1 or base.has_patterns:
            return False
        if base.fd < 0:
            return True
        names = os.listdir(base.fd)
        return not names or is_session_folder(base.fd, names)


def the_name_of_one(settings: Settings, verb: str, typed: str = "") -> str:
    """Return the id of the one company that the settings choose, or that there is; a single folder may be gone itself.

    Raises UsageError where more than one could be meant. `typed` is a word that was perhaps meant as its id.
    """
    meant = f". Did you mean {command('--company {}', typed)}?" if typed and typed.isprintable() else ""
    chosen = list(settings.sessions.companies) or ids_here(settings)
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise UsageError(
            f"{verb} is about one company, and there are {len(chosen)}{meant}",
            f"Name it with --company: {some_of(chosen)}.",
        )
    if is_single(settings):
        # Emptied, or gone: its name still tells.
        with Root(settings.sessions.where or "", keep_lost=True) as root:
            return root.itself(0).id
    raise UsageError(f"{verb} is about one company, and none is found{meant}", "Name it with --company ID.")


def company_meant(settings: Settings, company: str, verb: str) -> str:
    """Return the id of the company that a verb is about: what was typed, else the one that there is."""
    return company or the_name_of_one(settings, verb)


def no_such_company(message: str, missing: Sequence[str], known: Sequence[str]) -> BaileysToolsError:
    """Given the ids that are not there and those that are, return the error that names the latter, exit code 10."""
    error = NothingThere(
        message + (did_you_mean(missing[0], known) if len(missing) == 1 else ""),
        f"Companies found there: {some_of(known) or 'none'}.",
        exit_code=ExitCode.NOT_FOUND,
    )
    error.wanted = missing
    return error


def no_session_folder(root: Root) -> BaileysToolsError:
    """Return the error of a root without companies, with the hint where they could be."""
    if root.trouble is not None:
        return root.trouble
    error = NothingThere(f"no session folder in {root.path}", exit_code=ExitCode.NOT_FOUND)
    from baileys_tools.sessions.search.hints import where_they_could_be

    error.hint = where_they_could_be(root)
    return error


def _with_known(error: NothingThere, path: str, known: Sequence[str]) -> None:
    there_were = f"no session folder in {path}, where there were {len(known)}: {some_of(known)}"
    error.message = f"no company {known[0]} in {path}, where it was before" if error.wanted else there_were
    error.hint = (
        f"Is the disk or volume mounted? Look with: {command('ls -ld {}', roots_of(path)[0].path)}\n"
        "If it is, stop the bot before it writes a new identity, then: "
        f"{command('baileys-tools restore --company {} --dry-run', known[0])}"
    )
    error.exit_code = ExitCode.NOT_FOUND


def tell_what_was_there(error: NothingThere, settings: Settings, now: datetime) -> None:
    """Have an error say which companies were seen below the sessions path before, and the way back to them."""
    from baileys_tools.state.database import open_state

    path = settings.sessions.where or ""
    with suppress(BaileysToolsError, OSError), open_state(settings.state.dir, now) as state:
        looks = kept_looks(state, path).looks
        if known := [name for name in looks if not error.wanted or name in error.wanted]:
            _with_known(error, path, known)


class KeptLooks(NamedTuple):
    """The looks of earlier passes by company, as `rules/looks.py: to_plain` has them; `rules` made their findings.

    `places` has where a company stood that was not at `company_<id>` below the root.
    """

    looks: Mapping[str, Any] = {}
    rules: object = None
    places: Mapping[str, str] = {}
    where: object = ""
    """The flags that said where the bots are (`pasted.where`)."""
    as_kept: Mapping[str, Any] = {}
    """The looks under the names that they were kept by."""


def kept_looks(state: "State", root: str) -> KeptLooks:
    """Return what the monitor remembers below a root: for many companies it is read once.

    The names are those of `named_anew`.
    """
    from baileys_tools.sessions.look import LOOKS
    from baileys_tools.state.memory import recall_with_parts
    from baileys_tools.state.scope import root_key

    place = real_path(root)
    if is_new := state.scope.root != place:
        look_from(state, root, (), KeptLooks())
    kept, looks = recall_with_parts(state, LOOKS, root_key(place))
    if not isinstance(kept, dict):
        return KeptLooks()
    if isinstance(of_before := kept.get("looks"), dict):
        looks = of_before  # a version before kept all in one
    places = kept.get("places")
    places = places if isinstance(places, dict) else {}
    known = KeptLooks(looks, kept.get("rules"), places, kept.get("where", ""), looks)
    if is_new:
        look_from(state, root, (), known)
    return named_anew(state, known)


def named_anew(state: "State", known: KeptLooks) -> KeptLooks:
    """Return what is remembered with each company under the name that it has in the state's scope: a second one of its
    name may have come or gone since."""
    if not known.places:
        return known
    called, place = state.scope.names(), state.scope.root
    looks = {
        called.get(where_it_stood(place, name, known.places), name): look
        for name, look in known.as_kept.items()
    }
    return known._replace(looks=looks)


def look_from(state: "State", root: str, companies: Sequence[Company], known: KeptLooks) -> None:
    """Have the state be about the companies of a root, those `known` from earlier passes among them."""
    from baileys_tools.state.adoption import waiting_names
    from baileys_tools.state.scope import Scope

    place = real_path(root)
    # Their names only: the looks of a large fleet are tens of megabytes, and the state lives as long as the run.
    names, noted = [*known.looks], known.places

    def places() -> dict[str, str]:
        from baileys_tools.sessions.search.way import places_of

        here = places_of(companies)
        vanished = names if noted else [name for name in names if name not in here]
        gone = {name: where_it_stood(place, name, noted) for name in vanished}
        if noted:
            from baileys_tools.sessions.search.listing import gone_names

            gone = gone_names(gone, here)
        return {**gone, **here}

    state.scope = Scope(place, places)
    if (waiting := waiting_names(state)) is not None:
        take_over(state, waiting, companies)


def look_from_settings(state: "State", settings: Settings) -> None:
    """Have the state be about all companies of the settings, for a command that works without their folders.

    One that the settings name and that is not there is the one that would be.
    """
    if settings.sessions.where is None:
        return
    try:
        with Root(settings.sessions.where) as root:
            all_companies(root, settings, state)
    except BaileysToolsError:
        kept_looks(state, settings.sessions.where)
    add_missing(state, settings.sessions.companies)


def open_state_about(settings: Settings, now: datetime) -> "State":
    """Return the open state, about all companies of the settings. See `open_state`."""
    from baileys_tools.state.database import open_state

    state = open_state(settings.state.dir, now)
    look_from_settings(state, settings)
    return state


def add_missing(state: "State", names: Iterable[str]) -> None:
    """Have the state know companies that have no folder by where it would be."""
    root, known = state.scope.root, state.scope.places()
    if root:
        state.scope.add({name: where_it_stood(root, name) for name in names if name not in known})


def by_place(settings: Settings, numbers: Mapping[str, int]) -> dict[str, int]:
    """Given numbers by company, return them by the places of those companies that are there."""
    here = companies_here(settings, numbers)
    return {company.place: numbers[company.id] for company in here if company.id in numbers}


def place_named(settings: Settings, company: str) -> str:
    """Return the place of a company by its name, or where it would be; "" where no sessions path is known."""
    return _place_among(companies_here(settings), settings, company)


def place_meant(settings: Settings, company: str) -> str:
    """As `place_named`, for a name that a person typed. Raises exit code 2 where several places have it."""
    here = companies_here(settings)
    _require_no_other(company, here)
    return _place_among(here, settings, company)


def _place_among(here: Sequence[Company], settings: Settings, name: str) -> str:
    found = next((company.place for company in here if company.id == name), "")
    where = settings.sessions.where
    return found or ("" if where is None else where_it_stood(real_path(where), name))


def where_it_stood(root: str, company: str, places: Mapping[str, str] | None = None) -> str:
    """Return the place of a company that has vanished from a root, as an earlier pass has noted it."""
    if places and (noted := places.get(company)):
        return noted
    found = join(root, COMPANY_PREFIX + company)
    is_single = company == called_by(root).removeprefix(COMPANY_PREFIX) and not isdir(found)
    return root if is_single else found


def take_over(state: "State", waiting: Set[str], companies: Sequence[Company]) -> None:
    """Given the names that wait for a place, give theirs to those that belong to this root. See state/adoption.py."""
    from baileys_tools.sessions.look import LOOKS
    from baileys_tools.state.adoption import adopt
    from baileys_tools.state.memory import recall

    root, places = state.scope.root, dict(state.scope.places())
    # As the version before has left it: the last root that was watched, whichever it was.
    kept = recall(state, LOOKS)
    if not isinstance(kept, dict) or not isinstance(kept.get("looks"), dict):
        # Nobody has watched, so the first root that has companies is the one.
        adopt(state, waiting, places, root if companies else None)
        return
    place = kept.get("place") or realpath(str(kept.get("root")))
    if place != root and isdir(str(place)):
        theirs = kept["looks"].keys()
        adopt(state, waiting, {name: one for name, one in places.items() if name not in theirs}, None)
        return
    for name in kept["looks"]:
        places.setdefault(name, where_it_stood(root, name))
    adopt(state, waiting, places, root)
