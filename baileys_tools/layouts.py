"""Where session folders are looked for: roots, patterns of folders, and how well-known programs lay theirs out."""

import os
from typing import NamedTuple

MOST_PARTS = 8
"""Folders below each other that a pattern can name: nobody's bots stand deeper."""
MOST_PATTERNS = 32
WILD = frozenset("*?[")
APART = "@"
"""Between a name that several places have and what tells one of them from the others: `1001@b`."""


def shared_name(company: str) -> str:
    """Given a company's id, return the name that it shares with the others it is told apart from, else the id."""
    return company.partition(APART)[0]


class CredsSpec(NamedTuple):
    """A store of creds alone, beside one of keys: its address, and where its secret is, as `StoreSpec` has both."""

    address: str
    password_file: str = ""
    url_file: str = ""
    url_env: str = ""


class StoreSpec(NamedTuple):
    """A store as the settings have it: its address without any secret, and how its records are laid out.

    `options` are what the settings say beside the preset. The secret is in `password_file`, or the whole address in
    `url_file` or in the variable that `url_env` names; each is read where the store is opened. `creds` is the store of
    the creds, where those stand in another one than the keys.
    """

    address: str
    preset: str = ""
    options: tuple[tuple[str, str], ...] = ()
    password_file: str = ""
    url_file: str = ""
    url_env: str = ""
    creds: CredsSpec | None = None


class RootSpec(NamedTuple):
    """A root as the settings have it: `path` is absolute, `folders` are patterns of the session folders below it.

    Without patterns what stands there tells: a session folder itself, `company_*`, or children with a login. `name`
    says what a company is called, `{1}` being what the first star stands for. `layout` names a preset. With a `store`
    it is one of sessions in a database, and `path` is where what is kept of them stands on this host.
    """

    path: str
    folders: tuple[str, ...] = ()
    name: str = ""
    follow_links: bool = False
    layout: str = ""
    store: StoreSpec | None = None


class SessionsPath(str):
    """The sessions path as it is shown, with all `roots` that it stands for."""

    roots: tuple[RootSpec, ...]

    def __new__(cls, *roots: RootSpec) -> "SessionsPath":
        """Given the roots, return what shows them in one line."""
        made = super().__new__(cls, ", ".join(shown(root) for root in roots))
        made.roots = roots
        return made

    def __reduce__(self) -> tuple[type["SessionsPath"], tuple[RootSpec, ...]]:
        return SessionsPath, self.roots


def shown(root: RootSpec) -> str:
    """Return a root in words: its path, with its pattern where it has just one; of a store its address."""
    if root.store is not None:
        return root.store.address
    return os.path.join(root.path, root.folders[0]) if len(root.folders) == 1 else root.path


def real_path(path: str) -> str:
    """Given a sessions path, return by what is kept that is about all of it: the real path, of a store its address.

    Several roots are the same in any order.
    """
    roots = path.roots if isinstance(path, SessionsPath) else ()
    if len(roots) > 1:
        path = ", ".join(sorted(map(shown, roots)))
    return str(path) if any(root.store for root in roots) else os.path.realpath(path)


def roots_of(path: str) -> tuple[RootSpec, ...]:
    """Given a sessions path, return the roots that it stands for; of a path with stars, the folder before them.

    A folder that has that very name is meant itself.
    """
    roots = path.roots if isinstance(path, SessionsPath) else (RootSpec(path),)
    return tuple(_split(root) for root in roots)


def _split(root: RootSpec) -> RootSpec:
    if root.store is not None or root.folders:
        return root
    if WILD.isdisjoint(root.path) or os.path.lexists(root.path):
        # What a name is for are patterns: these are of what stands there without any.
        plain = ("company_*", "*") if "{1}" in root.name else (".",)
        return root._replace(folders=plain) if root.name and not root.layout else root
    parts = root.path.split("/")
    first = next(place for place, part in enumerate(parts) if not WILD.isdisjoint(part))
    pattern = "/".join(part for part in parts[first:] if part)
    return root._replace(path="/".join(parts[:first]) or "/", folders=(valid_pattern(pattern),))


def valid_pattern(text: str) -> str:
    """Given a pattern of folders below a root, return it without what means nothing. Raise ValueError for any other."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("/"):
        raise ValueError(f"{text!r} begins with /, and a pattern is of folders below the path of its root")
    if ".." in parts:
        raise ValueError(f"{text!r} leads out of its root by ..")
    if "**" in parts:
        raise ValueError(f"{text!r}: ** is not known; give one * for each folder on the way (*/*/auth)")
    if len(parts) > MOST_PARTS:
        raise ValueError(f"{text!r} goes deeper than {MOST_PARTS} folders")
    if not text.isprintable():
        raise ValueError(f"{text!r} has a character that cannot be typed")
    if "[" in text:
        import re

        try:
            for letters in re.findall(r"\[[!^]?(\]?[^\]]*)\]", text):
                re.compile(f"[{letters}]".replace("[", "\\[").replace("\\[", "[", 1))
        except re.error:
            raise ValueError(f"{text!r} has a [...] that means nothing") from None
    return "/".join(parts) or "."


class Layout(NamedTuple):
    """How a program lays its session folders out: (pattern, name) each, and where that is written down.

    The patterns hold for whichever of the program's folders is named: its own, or the one right above the sessions.
    """

    folders: tuple[tuple[str, str], ...]
    source: str


LAYOUTS = {
    "openclaw": Layout(
        # Before there were accounts, the login stood in the folder of all credentials.
        (
            ("credentials/whatsapp/*", "{1}"),
            ("whatsapp/*", "{1}"),
            (".", "default"),
            ("*", "{1}"),
        ),
        "openclaw/openclaw extensions/whatsapp/src/accounts.ts: resolveDefaultAuthDir, resolveLegacyAuthDir",
    ),
    "evolution-files": Layout(
        (("instances/*", "{1}"), ("*", "{1}")),
        "EvolutionAPI/evolution-api src/config/path.config.ts: INSTANCE_DIR (instances/<id>)",
    ),
    "baileys-api": Layout(
        (("sessions/md_*", "{1}"), ("md_*", "{1}")),
        "ookamiiixd/baileys-api whatsapp.js: sessionsDir, 'md_' + sessionId",
    ),
    "jadibot": Layout(
        (
            (".", ""),
            ("*", "{1}"),
            ("jadibts/*", "{1}"),
            ("*[Jj]adi*/*", "{3}"),
            ("*[Ss]ub[Bb]ot*/*", "{3}"),
            ("*-sub/*", "{2}"),
            ("serbot/*", "{1}"),
            ("[Ss]essions/[Ss]ub*/*", "{3}"),
            ("[Ss]essions/session-sub/*", "{1}"),
            ("[Ss]essions/*", "{1}"),
            ("*/jadibts/*", "{2}"),
            ("*/*[Jj]adi*/*", "{4}"),
        ),
        # global.authFile and authFileJB of main.js; in forks global.sessions and global.jadi of their settings.js.
        "GataNina-Li/GataBot-MD main.js: GataBotSession, GataJadiBot/<number>; forks: jadibts/, <name>-sub/ ...",
    ),
    "openwa": Layout(
        (("data/baileys/*", "{1}"), ("baileys/*", "{1}"), ("*", "{1}")),
        "rmyndharis/OpenWA src/engine/types/baileys.types.ts: BaileysAdapterConfig.authDir + the session's name",
    ),
}
"""Programs by the name of their layout in the settings."""
