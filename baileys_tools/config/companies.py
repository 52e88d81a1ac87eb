"""What single companies have of their own, by their id or a pattern of ids, by hand or by a template.

    templates:
      busy: {thresholds: {warning: 700, ...}}
    companies:
      "shop-*": {use: busy}
      shop-7: {cleanup: {until: 150}}

The most specific key that gives a value wins, setting by setting: an id before any pattern, and of two patterns the
one with more letters of its own. Within one key its own values win over its templates, and a later template over an
earlier one.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from baileys_tools.config.section import OF_COMPANY, OF_TEMPLATE, USE
from baileys_tools.layouts import shared_name

_WILD = frozenset("*?[]")


class Standing(tuple[str, ...]):
    """Companies that the settings or the environment name, and nobody by hand for this one command."""

    __slots__ = ()


def key_in(path: str) -> str:
    """Given the path of a value that a company or a template has, return whose it is."""
    prefix = OF_TEMPLATE if path.startswith(OF_TEMPLATE) else OF_COMPANY
    return path.removeprefix(prefix).rsplit(".", 1 if path.endswith(f".{USE}") else 2)[0]


def is_pattern(key: str) -> bool:
    return not _WILD.isdisjoint(key)


class Owners(dict[str, dict[str, Any]]):
    """What each key of `companies` has of its own, by dotted path; the least specific key first."""

    def __init__(self, own: Mapping[str, dict[str, Any]] = {}) -> None:
        super().__init__(own)
        # Looked at for every company, so not among all keys each time.
        self.patterns = tuple(filter(is_pattern, own))

    def keys_for(self, company: str) -> Iterator[str]:
        """Given a company's id, yield the keys that are about it."""
        yield from (key for key in self.patterns if key != company and fnmatchcase(company, key))
        if company in self:
            yield company

    def own_of(self, company: str) -> Iterator[tuple[str, str, Any]]:
        """Given a company's id, yield what it has of its own, the stronger later: the key, the path, the value.

        `1001@b` is called so since another root has a 1001 as well: the rules for 1001 go on, what names one bot not.
        """
        name = shared_name(company)
        for key in self.keys_for(name) if name != company else ():
            yield from ((key, path, value) for path, value in self[key].items() if not is_of_one_bot(path))
        for key in self.keys_for(company):
            yield from ((key, path, value) for path, value in self[key].items())

    def those_with(self, section: str) -> list[str]:
        """Return the keys that have something of a section of their own."""
        return [key for key, own in self.items() if any(path.startswith(f"{section}.") for path in own)]


def is_of_one_bot(path: str) -> bool:
    """Whether a setting, by its dotted path, names one bot or those whom it concerns, and is no rule."""
    return path.startswith(("bot_api.", "process.", "notify."))


def own_values(values: Mapping[str, Any]) -> Owners:
    """Given values by dotted path, return for each key of `companies`, the least specific first, by the path of each
    setting that it gives the path in `values` that has it.
    """
    of: dict[str, dict[str, dict[str, str]]] = {OF_COMPANY: {}, OF_TEMPLATE: {}}
    used: dict[str, Sequence[str]] = {}
    for path, value in values.items():
        prefix = next((prefix for prefix in of if path.startswith(prefix)), "")
        if not prefix:
            continue
        key = key_in(path)
        own = of[prefix].setdefault(key, {})
        if path.endswith(f".{USE}"):
            used[key] = value
        else:
            own[".".join(path.rsplit(".", 2)[1:])] = path
    found = {}
    for key in sorted(of[OF_COMPANY], key=_specific):
        templates = (of[OF_TEMPLATE].get(name, {}) for name in used.get(key, ()))
        merged: dict[str, str] = {}
        for source in (*templates, of[OF_COMPANY][key]):
            merged |= source
        found[key] = merged
    return Owners(found)


def is_typed(path: str, origin: Mapping[str, str]) -> bool:
    """Given where each setting was given, return whether a flag of the command line gives this one."""
    return origin.get(path, "").startswith("flag ")


def stronger_flags(values: dict[str, Any], origin: Mapping[str, str]) -> None:
    """Take out what companies have of their own where a flag says otherwise for all of them."""
    for path in [path for path in values if path.startswith((OF_COMPANY, OF_TEMPLATE))]:
        if is_typed(".".join(path.rsplit(".", 2)[1:]), origin):
            del values[path]


def _specific(key: str) -> tuple[bool, int]:
    return not is_pattern(key), sum(letter not in _WILD for letter in key)
