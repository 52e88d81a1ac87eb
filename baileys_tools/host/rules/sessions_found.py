"""What `sessions` has found, and what it means for the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from baileys_tools.errors import ExitCode
from baileys_tools.layouts import RootSpec
from baileys_tools.sessions.rules.writers import Writer


class FoundRoot(NamedTuple):
    """A root of the settings: whether it is there, and how many companies are found in it. `why` a store is not."""

    path: str
    spec: RootSpec
    is_there: bool
    companies: int
    why: str = ""


class FoundSession(NamedTuple):
    """A session folder, which of the roots it is in, the rule that found it, and what has written it. `trouble`: why it
    cannot be opened."""

    root: int
    id: str
    path: str
    place: str
    rule: str
    linked: bool
    writer: Writer
    trouble: str


class Passed(NamedTuple):
    """What is no session folder for us, and why."""

    path: str
    why: str


class Proposed(NamedTuple):
    """A pattern that would find more session folders below a root; `at` says which of the roots that is."""

    at: int
    root: str
    pattern: str
    number: int


class SessionsFound(NamedTuple):
    """All that stands below the roots of the settings."""

    root: str
    roots: Sequence[FoundRoot]
    sessions: Sequence[FoundSession]
    passed: Sequence[Passed]
    proposed: Sequence[Proposed]

    @property
    def exit_code(self) -> ExitCode:
        """10 where nothing is found, 3 where a root is not there."""
        if not self.sessions:
            return ExitCode.NOT_FOUND
        return ExitCode.DONE if all(root.is_there for root in self.roots) else ExitCode.PARTLY_FAILED

    @property
    def settings(self) -> list[RootSpec]:
        """Return `sessions.roots` with which what is proposed would be found as well; none where nothing is.

        A root that says more than its path stays as it is: what is named, followed or in a database today is so then.
        """
        done: list[RootSpec] = []
        for at, root in enumerate(self.roots):
            more = [one.pattern for one in self.proposed if one.at == at]
            if not more:
                done.append(root.spec)
            elif root.spec == RootSpec(root.spec.path):
                mine = [one for one in self.sessions if one.root == at]
                done.append(RootSpec(root.path, (*_patterns_of(root.path, mine), *more)))
            else:
                done += [root.spec, RootSpec(root.spec.path, tuple(more))]
        return done if self.proposed else []


def _patterns_of(root: str, found: Sequence[FoundSession]) -> list[str]:
    """Return patterns that keep finding what is found by now."""
    patterns: dict[str, None] = {}
    for one in found:
        entry = one.path[len(root.rstrip("/")) + 1 :]
        if one.path == root:
            patterns["."] = None
        elif one.rule.startswith("pattern "):
            patterns[one.rule.removeprefix("pattern ")] = None
        elif one.rule == "company_<id>":
            patterns["company_*"] = None
        else:
            patterns["*" if "/" not in entry else entry] = None
    return list(patterns)
