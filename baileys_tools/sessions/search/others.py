"""What other programs keep where session folders are looked for: named, so that nobody wonders why it is left alone."""

import os
import stat
from collections.abc import Collection, Iterator
from itertools import islice

from baileys_tools.sessions.names import OWN_PREFIX, READ_FLAGS
from baileys_tools.sessions.search.way import open_way

MOST_FOLDERS = 300
MOST_FILES = 200
"""Files of a folder that are looked at by name, and a few of them by their beginning."""
MOST_OPENED = 20
DEEPEST = 5
"""As deep as session folders are proposed (`hints.py`): what stands in the app beside one is said as well."""
_HEAD = 1 << 16
_WEB_JS = "whatsapp-web.js keeps a browser's profile here (LocalAuth), not files of Baileys"
_WPPCONNECT = "tokens of wppconnect: a browser's session, not files of Baileys"
_WAHA = "a store of WAHA in SQLite, not files of Baileys"
_SQLITE = "a store in SQLite: sessions in a database are not looked after"
_BIN = "a store in one .bin file: another client's, or a very old Baileys"
_ONE_FILE = "an auth state in one file (useSingleFileAuthState): Baileys itself has given that up"


def others_in(root: int, taken: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield what other programs keep below a root: the way to it, and what it is. `taken` are session folders.

    Bounded in depth, folders and files. What cannot be looked into is passed over.
    """
    left = [MOST_FOLDERS]
    yield from _others(root, "", DEEPEST, taken, left)


def _others(
    folder: int, way: str, depth: int, taken: Collection[str], left: list[int]
) -> Iterator[tuple[str, str]]:
    left[0] -= 1
    try:
        with os.scandir(folder) as entries:
            found = sorted(islice(entries, MOST_FILES), key=lambda entry: entry.name)
            folders = [entry.name for entry in found if entry.is_dir(follow_symlinks=False)]
            files = [entry.name for entry in found if entry.is_file(follow_symlinks=False)]
    except OSError:
        return
    if what := _what_it_is(way.rpartition("/")[2], folders, files):
        yield way or ".", what
        return
    told: set[str] = set()
    for name in files:
        what = _what_file(name, folder, way, told)
        if what and what not in told:
            told.add(what)
            yield f"{way}/{name}" if way else name, what
    for name in folders:
        entry = f"{way}/{name}" if way else name
        if (
            entry in taken
            or depth <= 1
            or left[0] <= 0
            or name.startswith(OWN_PREFIX)
            or name == "node_modules"
        ):
            continue
        try:
            inner = open_way(folder, name)
        except OSError:
            continue
        try:
            yield from _others(inner, entry, depth - 1, taken, left)
        finally:
            os.close(inner)


def _what_it_is(name: str, folders: Collection[str], files: Collection[str]) -> str:
    # whatsapp-web.js src/authStrategies/LocalAuth.js, RemoteAuth.js: session-<clientId>, RemoteAuth-<clientId>, a user
    # data folder of Chromium. What else stands around it may be a session of Baileys.
    if name == ".wwebjs_cache" or (name.startswith(("session", "RemoteAuth")) and "Default" in folders):
        return _WEB_JS
    # wppconnect src/token-store/FileTokenStore.ts: tokens/<session>.data.json.
    if any(file.endswith(".data.json") for file in files):
        return _WPPCONNECT
    return ""


def _what_file(name: str, folder: int, way: str, told: set[str]) -> str:
    lower = name.lower()
    if lower.endswith((".db", ".sqlite", ".sqlite3")) and _head(name, folder, 16).startswith(
        b"SQLite format 3"
    ):
        is_waha = name in ("store.sqlite3", "gows.db", "waha.sqlite3") or ".sessions" in way.split("/")
        return _WAHA if is_waha else _SQLITE
    if lower.endswith(".bin"):
        return _BIN
    if lower.endswith(".json") and name != "creds.json" and _ONE_FILE not in told and len(told) < MOST_OPENED:
        head = _head(name, folder, _HEAD)
        if b'"creds"' in head and b'"noiseKey"' in head:
            return _ONE_FILE
    return ""


def _head(name: str, folder: int, size: int) -> bytes:
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=folder)
    except OSError:
        return b""
    try:
        return os.read(fd, size) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(fd)
