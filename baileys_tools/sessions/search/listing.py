"""Lists the companies of a root by its patterns or by what stands there, and tells those of one name apart."""

import os
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from baileys_tools.errors import BaileysToolsError
from baileys_tools.layouts import APART, LAYOUTS
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.names import COMPANY_PREFIX, VOLUME, called_by
from baileys_tools.sessions.rules.patterns import Pattern, patterns_of
from baileys_tools.sessions.scan import exists
from baileys_tools.sessions.search.walk import (
    A_COPY,
    Found,
    PassedBy,
    children,
    folders_in,
    is_copy_by_name,
    walk,
    why_no_session,
    why_of_others,
)
from baileys_tools.sessions.search.way import Base, Company, natural_order, open_way

LONGEST_ID = 240
"""Bytes: `company_<id>` names a folder in the repository, and what tells two apart has to fit, too."""
MOST_AROUND = 64
"""Folders around a session folder that are looked at to tell two apart."""


class Listed(NamedTuple):
    """The companies of a root, what was not taken for one, the rule by the way to each, and the names in the root."""

    companies: list[Company]
    passed: list[PassedBy]
    rules: dict[str, str]
    names: list[str]


def by_patterns(base: Base, number: int, known: Container[str]) -> Listed:
    """Return the companies that the patterns of a root name, in natural order.

    Where the last part of a pattern has a text of its own, each folder that matches is one, as `company_<id>` is, but
    where a star led to what holds other programs' files alone. Where it is a bare star, its content has to tell. One
    that was `known` is one, whatever it holds.
    """
    passed: list[PassedBy] = []
    found: dict[str, Company] = {}
    rules: dict[str, str] = {}
    itself: PassedBy | None = None
    try:
        names = os.listdir(base.fd)
        for one in walk(base.fd, patterns_below(base), base.spec.follow_links, passed):
            if one.entry in found:
                continue
            company = _company(base, number, one)
            has_to_tell = not one.pattern.has_own_name or one.entry == "."
            # Of what an earlier look knew nothing has to be read: that is most of them, every minute.
            is_known = company.id in known or company.place in known
            if one.closed and not is_known:
                continue  # told as passed by; of one that is known, whoever opens it says so
            is_asked = not is_known and (has_to_tell or one.pattern.is_wild)
            if is_asked and (
                why := _why_not(base, company, why_no_session if has_to_tell else why_of_others)
            ):
                passed.append(PassedBy(one.entry, why))
                itself = passed[-1] if one.entry == "." else itself
                continue
            found[one.entry] = company
            rules[one.entry] = f"pattern {one.pattern.text}"
    except OSError as error:
        raise BaileysToolsError(f"cannot list the sessions path {base.path}: {say_why(error)}") from error
    if found and itself in passed:
        passed.remove(itself)  # it was asked whether the sessions stand in it or are it
    left = [one for one in dict.fromkeys(passed) if one.entry not in found]
    return Listed(sorted(found.values(), key=lambda company: natural_order(company.id)), left, rules, names)


def patterns_below(base: Base) -> list[Pattern]:
    spec = base.spec
    presets = LAYOUTS[spec.layout].folders if spec.layout else ()
    folders = spec.folders if spec.folders or presets else (".", f"{COMPANY_PREFIX}*", "*")
    return patterns_of([*((text, "") for text in folders), *presets], spec.name)


def _company(base: Base, number: int, one: Found) -> Company:
    below = "" if one.entry == "." else "/" + one.entry
    path = base.path.rstrip("/") + below if below else base.path
    real = os.path.realpath(path) if one.linked else base.real.rstrip("/") + below if below else base.real
    called = one.pattern.company(one.stars, one.entry if one.pattern.parts else os.path.basename(real))
    called = called_by(real) if called == VOLUME else called
    company = Company(called, one.entry, path, number, one.linked, real)
    return (
        company
        if len(os.fsencode(called)) <= LONGEST_ID
        else company._replace(id=_by_digest(called, company.place))
    )


def renamed_below(base: Base, prefix: str) -> Iterator[tuple[int, str]]:
    """Yield, for each folder that waits under `prefix` beside its place somewhere on the way to the folders of a root,
    the handle of what is around it, and its name."""
    for one in patterns_below(base):
        if len(one.parts) < 2:
            continue
        last = one.parts[-1]
        for found in walk(base.fd, [one._replace(parts=one.parts[:-1])], False, []):
            with suppress(OSError):
                around = open_way(base.fd, found.entry)
                try:
                    names = (
                        (last.text,)
                        if last.expression is None
                        else [entry.name.removeprefix(prefix) for entry in folders_in(around).entries]
                    )
                    for name in names:
                        if last.match(name) is not None and exists(prefix + name, around):
                            yield around, name
                finally:
                    os.close(around)


def _why_not(base: Base, company: Company, why_none: Callable[[int], str]) -> str:
    is_named = why_none is why_of_others
    if not is_named and company.entry != "." and is_copy_by_name(company.entry.rpartition("/")[2]):
        return A_COPY
    try:
        folder = open_way(base.fd, company.entry, follow_links=company.linked)
    except OSError as error:
        return "" if is_named else say_why(error)  # whoever opens it says so
    try:
        return why_none(folder)
    except OSError as error:
        return "" if is_named else say_why(error)
    finally:
        os.close(folder)


def by_content(base: Base, number: int) -> Listed:
    """Return the companies of a root without patterns whose content tells that they are."""
    passed: list[PassedBy] = []
    try:
        names = list(children(base.fd, passed))
    except OSError as error:
        raise BaileysToolsError(f"cannot list the sessions path {base.path}: {say_why(error)}") from error
    found = [
        Company(name, name, os.path.join(base.path, name), number, False, os.path.join(base.real, name))
        for name in sorted(names, key=natural_order)
    ]
    return Listed(found, passed, dict.fromkeys(names, "its content is a session of Baileys"), [])


def told_apart(companies: Sequence[Company]) -> list[Company]:
    """Return each place once, and those that share a name under names that tell them apart by what is around them."""
    places: dict[str, Company] = {}
    for company in companies:
        places.setdefault(company.place, company)
    by_name: dict[str, list[Company]] = {}
    for company in places.values():
        by_name.setdefault(company.id, []).append(company)
    if len(by_name) == len(places):
        return [*places.values()]
    ids: dict[str, str] = {}
    for name, same in by_name.items():
        if len(same) > 1:
            ids |= dict(zip((one.place for one in same), _ids_of(name, same), strict=True))
    told = [
        company._replace(id=ids[place], name=company.id) if place in ids else company
        for place, company in places.items()
    ]
    if len({company.id for company in told}) == len(told):
        return told
    # Somebody's folder has the very name that would tell two others apart.
    return [
        company._replace(id=_by_digest(company.name, company.place)) if company.name else company
        for company in told
    ]


def gone_names(known: Mapping[str, str], here: Mapping[str, str]) -> dict[str, str]:
    """Given the places of companies that are known and of those that are here, by name, return those of the vanished.

    One whose name another place has by now is called by what is around it, or by a digest, as well.
    """
    standing = frozenset(here.values())
    vanished = {name: place for name, place in known.items() if place not in standing}
    gone: dict[str, str] = {}
    for name, place in vanished.items():
        called = name
        if name in here:
            called = f"{name}{APART}{os.path.basename(os.path.dirname(place))}"
            is_free = called not in here and called not in vanished and called not in gone
            if not is_free or called.endswith(APART) or len(os.fsencode(called)) > LONGEST_ID:
                called = _by_digest(name, place)
        gone[called] = place
    return gone


def _ids_of(name: str, same: Sequence[Company]) -> Iterator[str]:
    """Yield for each place of one name that name with as much of its path as it takes."""
    around = [_around(one.place) for one in same]
    deepest = max(map(len, around))
    deepest = min(deepest, MOST_AROUND)
    depth = next(
        (depth for depth in range(1, deepest + 1) if _all_differ([parts[-depth:] for parts in around])),
        deepest,
    )
    # Not the parts that all have in common: a/bots and b/bots are told apart by a and b.
    differ = [
        place
        for place in range(-depth, 0)
        if len({parts[place] if len(parts) >= -place else "" for parts in around}) > 1
    ]
    tails = ["-".join(parts[place] for place in differ if len(parts) >= -place) for parts in around]
    often = Counter(tails)
    for one, tail in zip(same, tails, strict=True):
        whole = f"{name}{APART}{tail}"
        is_plain = tail and often[tail] == 1 and len(os.fsencode(whole)) <= LONGEST_ID
        yield whole if is_plain else _by_digest(name, one.place)


def _around(place: str) -> list[str]:
    """Return what is around a session: the folders above it, or the address of its store."""
    return (place.partition("#")[0] if "://" in place else os.path.dirname(place)).split("/")


def _all_differ(ways: Sequence[Sequence[str]]) -> bool:
    return len({tuple(way) for way in ways}) == len(ways)


def _by_digest(name: str, place: str) -> str:
    from hashlib import sha256

    short = os.fsdecode(os.fsencode(name)[: LONGEST_ID - 13])
    return f"{short}{APART}{sha256(os.fsencode(place)).hexdigest()[:12]}"
