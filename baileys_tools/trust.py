"""Whether a file may decide what a command does, or hold its secrets: only the caller or root can have written it.

As sshd looks at `authorized_keys`: the file, each folder on its real path and each link to it belong to the caller or
to root, and nobody else can write them. Each step is taken by handle, so that what was looked at is what is read, and
nothing is opened that the way to does not allow.

Others may write into a folder with the sticky bit (/tmp): they can neither rename nor remove there what is not theirs.
So may they into one on a file system that is mounted read-only, as Kubernetes mounts ConfigMaps (mode 0777): they
cannot. A group with no member but the caller is the caller: the umask of many distributions is 002.
"""

import errno
import os
import stat
from contextlib import suppress
from typing import NamedTuple

from baileys_tools.owner import user_name

_MOST_LINKS = 40
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NotTrusted(PermissionError):
    """Somebody else than the caller and root can have written this. `strerror` says who, and where on the path."""

    def __init__(self, why: str, path: str) -> None:
        super().__init__(errno.EPERM, why, path)


class Doubt(NamedTuple):
    """The first thing on a path that is not the caller's and root's alone: why, and whose it is."""

    why: str
    uid: int
    gid: int


def read_trusted(path: str, largest: int) -> bytes:
    """Return what the regular file at `path` holds, at most `largest` bytes of it.

    Raise NotTrusted for one that others can have written, OSError for one that is not there or cannot be read.
    """
    if _is_handed_over(path):
        with open(path, "rb") as file:
            return file.read(largest)
    way = _Way(path)
    try:
        name = way.to_file()
        if name == "":
            raise OSError(errno.EINVAL, "not a regular file", path)
        if way.doubt is None:
            way.look_at_file(name, os.stat(name, dir_fd=way.folder, follow_symlinks=False))
        if way.doubt is not None:
            raise NotTrusted(way.doubt.why, path)
        with open(os.open(name, _READ, dir_fd=way.folder), "rb") as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            way.look_at_file(name, seen, file.fileno())
            if way.doubt is not None:
                raise NotTrusted(way.doubt.why, path)
            return file.read(largest)
    finally:
        way.close()


def open_plain(path: str) -> int:
    """Open a plain file to read, a link to it being followed, and return its handle. Raises OSError.

    Nothing else is opened, not even for a moment: whoever owns a folder can have a name in it lead to any file of the
    host, and to open a device is to act. A watchdog starts to count, a tape winds back.
    """
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            raise OSError(errno.EINVAL, "is not a plain file")
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        error.filename = path
        raise
    finally:
        os.close(place)


def open_named(path: str) -> tuple[int, str]:
    """Open a folder that the caller names, its links followed; return its handle, and its real path.

    A link on the way has to be the caller's, root's, or of whoever owns the folder that it leads to: any other could
    lead to what its owner may not see. Raises OSError, NotTrusted for such a link.
    """
    way = _Way(path, looks=False)
    try:
        if way.to_file():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        owner = os.fstat(way.folder).st_uid
        for link, uid in way.links:
            if uid not in (0, os.geteuid(), owner):
                whose = f"a link of {user_name(uid)} to a folder of {user_name(owner)}"
                raise NotTrusted(f"{link} is {whose}, which is not followed: name its target instead", path)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=way.folder), way.where
    except OSError as error:
        error.filename = path
        raise
    finally:
        way.close()


def read_link(name: str, folder: int) -> tuple[os.stat_result, str]:
    """Return what a link in an open folder is, and where this very one leads: its name may be another's by then."""
    link = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.fstat(link), os.readlink("", dir_fd=link)
    finally:
        os.close(link)


def _is_handed_over(path: str) -> bool:
    """Whether it is what the caller has opened for this process, as `--identity <(pass show key)` does."""
    folder, _, number = path.rpartition("/")
    return path == "/dev/stdin" or (folder in ("/dev/fd", "/proc/self/fd") and number.isdecimal())


def doubt_of(path: str) -> tuple[Doubt | None, os.stat_result]:
    """Given a folder or a file, there or still to be made, return why others can put another in its place.

    Also what its folder is: itself, or the nearest one above it that is there. Raises OSError.
    """
    way = _Way(path)
    try:
        # What is not there yet is nobody's.
        with suppress(FileNotFoundError, NotADirectoryError):
            if name := way.to_file():
                way.look_at_file(name, os.stat(name, dir_fd=way.folder, follow_symlinks=False))
        return way.doubt, os.fstat(way.folder)
    finally:
        way.close()


class _Way:
    """A walk along a path, following its links, by the handle of each folder. `doubt` is the first that came up, unless
    nothing `looks`; `links` are those that were followed, each with its owner."""

    def __init__(self, path: str, *, looks: bool = True) -> None:
        self._rest: list[str] = []
        self._looks = looks
        self.links: list[tuple[str, int]] = []
        self.doubt: Doubt | None = None
        self._add(path if path.startswith("/") else os.path.join(os.getcwd(), path))
        self.where = "/"
        self.folder = os.open("/", _STEP)
        self._look_at_folder()

    def close(self) -> None:
        os.close(self.folder)

    def to_file(self) -> str:
        """Go to the last folder; return the name of what stands in it, "" where the path ends with the folder.

        Raises OSError where there is nothing, also behind a doubt: a file that is not there is obeyed by nobody.
        """
        while self._rest:
            name = self._rest.pop()
            seen = os.stat(name, dir_fd=self.folder, follow_symlinks=False)
            if stat.S_ISLNK(seen.st_mode):
                self._follow(name)
            elif stat.S_ISDIR(seen.st_mode):
                self._enter(name)
            elif self._rest:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), self._path_of(name))
            else:
                return name
        return ""

    def look_at_file(self, name: str, seen: os.stat_result, fd: int | None = None) -> None:
        """Note a doubt about the file at the end. Without its handle, only what needs none is looked at."""
        path = self._path_of(name)
        self._note(_not_ours(path, seen), seen)
        if fd is not None:
            self._note(_others_write(path, seen, fd), seen)
        folder = os.fstat(self.folder)
        if folder.st_mode & stat.S_ISVTX and folder.st_mode & _OTHERS_WRITE and seen.st_nlink > 1:
            # Not every kernel keeps others from giving any file another name.
            self._note(f"{path} is another name of a file that lies elsewhere", folder)

    def _add(self, path: str) -> None:
        self._rest += [part for part in reversed(path.split("/")) if part not in ("", ".")]

    def _path_of(self, name: str) -> str:
        return os.path.join(self.where, name)

    def _follow(self, name: str) -> None:
        seen, target = read_link(name, self.folder)
        self.links.append((self._path_of(name), seen.st_uid))
        if len(self.links) > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._path_of(name))
        self._note(_not_ours(self._path_of(name), seen), seen)
        self._add(target)
        if target.startswith("/"):
            self._go(os.open("/", _STEP), "/")

    def _enter(self, name: str) -> None:
        below = os.open(name, _STEP, dir_fd=self.folder)
        self._go(below, os.path.dirname(self.where) if name == ".." else self._path_of(name))
        self._look_at_folder()

    def _go(self, folder: int, where: str) -> None:
        os.close(self.folder)
        self.folder, self.where = folder, where

    def _look_at_folder(self) -> None:
        if not self._looks:
            return
        seen = os.fstat(self.folder)
        self._note(_not_ours(self.where, seen), seen)
        if (
            seen.st_mode & _OTHERS_WRITE
            and not seen.st_mode & stat.S_ISVTX
            and not _is_read_only(self.folder)
        ):
            self._note(_others_write(self.where, seen, self.folder), seen)

    def _note(self, why: str, seen: os.stat_result) -> None:
        if why and self.doubt is None:
            self.doubt = Doubt(why, seen.st_uid, seen.st_gid)


def _not_ours(path: str, seen: os.stat_result) -> str:
    if seen.st_uid in (0, os.geteuid()):
        return ""
    return f"{path} belongs to {user_name(seen.st_uid)}, and you are {user_name(os.geteuid())}"


def _others_write(path: str, seen: os.stat_result, fd: int) -> str:
    may = seen.st_mode & stat.S_IWOTH
    if seen.st_mode & stat.S_IWGRP:
        # No umask makes root's files like that: somebody else is meant to write it.
        is_roots_file = os.geteuid() == 0 and stat.S_ISREG(seen.st_mode)
        may = may or is_roots_file or not (_is_callers_alone(seen.st_gid) and _has_no_list(fd))
    if not may:
        return ""
    from shlex import quote

    remedy = f": chmod go-w {quote(path)}" if path.isprintable() else ""
    return f"others can write {path} (mode {stat.S_IMODE(seen.st_mode):04o}){remedy}"


def _is_read_only(folder: int) -> bool:
    return bool(os.fstatvfs(folder).f_flag & os.ST_RDONLY)


def _is_callers_alone(gid: int) -> bool:
    """Whether a group has members, and none but the caller and root, as far as this host lists them."""
    import grp
    import pwd

    try:
        named = {pwd.getpwnam(name).pw_uid for name in grp.getgrgid(gid).gr_mem}
    except KeyError:
        return False
    members = named | {one.pw_uid for one in pwd.getpwall() if one.pw_gid == gid}
    return bool(members) and members <= {0, os.geteuid()}


def _has_no_list(fd: int) -> bool:
    """Whether no access list lets more users write than the mode says. What cannot be asked is a no."""
    try:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            again = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
            try:
                os.getxattr(again, "system.posix_acl_access")
            finally:
                os.close(again)
        else:
            os.getxattr(fd, "system.posix_acl_access")
    except OSError as error:
        return error.errno in (errno.ENODATA, errno.EOPNOTSUPP)
    return False
