"""What of the host the settings depend on: its folders, its user, and which settings file there is."""

from __future__ import annotations

import os
from collections.abc import Mapping

from baileys_tools.config.kinds import Absolute
from baileys_tools.errors import UsageError
from baileys_tools.trust import NotTrusted, read_trusted

OWN_PREFIX = "BAILEYS_TOOLS_"
CONFIG_VARIABLE = "BAILEYS_TOOLS_CONFIG"
JOB_VARIABLE = "BAILEYS_TOOLS_JOB"
"""Set for what cron, `cron run` and systemd start, so that `cron status` tells their runs from those by hand."""
STARTED_BY_VARIABLE = "BAILEYS_TOOLS_STARTED_BY"
"""Set for what the page starts: its word and the number of the action, which the record of runs keeps."""
OUR_OWN_VARIABLES = (JOB_VARIABLE, STARTED_BY_VARIABLE)
SYSTEM_CONFIG = "/etc/baileys-tools/config.yaml"
LARGEST_CONFIG = 1 << 20
NOT_OBEYED = "not obeyed"
"""What is said of a settings file that somebody else than the caller and root can have written."""


class Surroundings:
    """What of the host the settings depend on; a test gives its own."""

    __slots__ = ("cwd", "environ", "euid", "home", "system_config")

    def __init__(
        self,
        environ: Mapping[str, str],
        cwd: str | None = None,
        home: str | None = None,
        euid: int | None = None,
        system_config: str = SYSTEM_CONFIG,
    ) -> None:
        self.environ = environ
        self.cwd = _working_folder() if cwd is None else cwd
        self.home = _home(environ) if home is None else home
        self.euid = os.geteuid() if euid is None else euid
        self.system_config = system_config

    def xdg(self, variable: str, fallback: str) -> str:
        """Return the XDG folder that `variable` names. Its specification ignores relative ones."""
        named = self.environ.get(variable, "")
        return named if os.path.isabs(named) else os.path.join(self.home, fallback)

    def absolute_from(self, folder: str) -> Absolute:
        """Return what makes a path absolute when it was written in `folder`; `~` is the home folder."""

        def absolute(path: str) -> str:
            if path == "~" or path.startswith("~/"):
                path = self.home + path[1:]
            joined = os.path.join(folder, path)
            # a/../b is not b when a is a link, so only paths without .. are tidied.
            return joined if ".." in joined.split("/") else os.path.normpath(joined)

        return absolute


def _home(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME") or os.path.expanduser("~")
    # A user without a name has no home either; what begins with ~ would be looked for in the working folder.
    return home if os.path.isabs(home) else "/"


def _working_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise UsageError("The working folder no longer exists.", "Change to one that does: cd /") from None


def config_candidates(host: Surroundings) -> list[str]:
    """Return the settings files that are looked for when none is named, first one first.

    The working folder comes last: of all places it is the one that says least about who is asking.
    """
    return [
        own_config(host),
        host.system_config,
        os.path.join(host.cwd, "baileys-tools.yaml"),
    ]


def own_config(host: Surroundings) -> str:
    """Return where the settings file of this user is, or is to be."""
    return os.path.join(host.xdg("XDG_CONFIG_HOME", ".config"), "baileys-tools", "config.yaml")


def named_config(host: Surroundings) -> str | None:
    """Return the settings file that the environment names, None when it names none."""
    named = host.environ.get(CONFIG_VARIABLE)
    return host.absolute_from(host.cwd)(named) if named else None


def find_config(host: Surroundings, config: str | None, problems: list[str]) -> tuple[str | None, bytes]:
    """Return the settings file and its content, (None, b"") without one; a trouble is added to `problems`."""
    named = named_config(host) if config is None else host.absolute_from(host.cwd)(config)
    giver = "flag --config" if config is not None else f"environment {CONFIG_VARIABLE}"
    places = config_candidates(host) if named is None else [named]
    for place in places:
        try:
            content = read_trusted(place, LARGEST_CONFIG + 1)
            if len(content) > LARGEST_CONFIG:
                raise ValueError(f"larger than {LARGEST_CONFIG >> 20} MiB")
            return place, content
        except (FileNotFoundError, NotADirectoryError):
            if named is not None:
                problems.append(f"{place}: no such settings file ({giver})")
        except NotTrusted as error:
            problems.append(f"{place}: {NOT_OBEYED}: {error.strerror}")
            break
        except (OSError, ValueError) as error:
            # A file that is there but cannot be read must not quietly become the defaults.
            problems.append(f"{place}: not readable: {getattr(error, 'strerror', None) or error}")
            break
    return None, b""


def default_state_dir(host: Surroundings) -> str:
    """Return where state is kept when nothing says so: the system's folder for root, else the user's own."""
    if host.euid == 0:
        return "/var/lib/baileys-tools"
    return os.path.join(host.xdg("XDG_STATE_HOME", ".local/state"), "baileys-tools")
