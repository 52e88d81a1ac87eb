"""Variables of the environment that nobody reads and that look like one that is read."""

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher

from baileys_tools.config.host import OWN_PREFIX
from baileys_tools.config.schema import SCHEMA
from baileys_tools.errors import UsageError
from baileys_tools.units import printable

ALIKE = 0.87
"""From here on two names are one that was mistyped: SESSIONS_PATH for SESSION_PATH, and no SESSION_NAME."""


def near_misses(environ: Mapping[str, str]) -> list[str]:
    """Given the environment, return a line for each variable that was probably meant as one of ours.

    Those of our own prefix are errors already. One whose real name is given as well is somebody else's.
    """
    known = [name for setting in SCHEMA.settings.values() for name in setting.env]
    found = []
    for name in sorted(environ):
        if name in known or name.startswith(OWN_PREFIX) or not environ[name]:
            continue
        meant = _nearest(name, known)
        if meant and not environ.get(meant):
            found.append(f"the variable {name} is not read; did you mean {meant}?")
    return found


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the name that another is nearest to, "" where none is near. Parts may stand in another order."""
    words = sorted(name.upper().split("_"))
    best, likeness = "", ALIKE
    for one in known:
        if abs(len(one) - len(name)) > 4:
            continue
        here = max(
            SequenceMatcher(None, name.upper(), one).ratio(),
            SequenceMatcher(None, "_".join(words), "_".join(sorted(one.split("_")))).ratio(),
        )
        if here >= likeness:
            best, likeness = one, here
    return best


def no_sessions_path(environ: Mapping[str, str]) -> UsageError:
    """Return the error of a run without a sessions path: what was probably meant to give it, and how it is given."""
    meant = "".join(f"{printable(one)}\n" for one in near_misses(environ))
    return UsageError(
        "No sessions path is given: where are the bots' session folders?",
        f"{meant}Give it in one of three ways:\n"
        "  a flag         --sessions /path/to/sessions\n"
        "  environment    BAILEYS_SESSIONS_PATH=/path/to/sessions (or SESSION_PATH)\n"
        "  settings file  sessions: {path: /path/to/sessions}\n"
        "Other layouts: docs/layouts.md. What is there: baileys-tools sessions",
    )
