"""A tar member as bytes, and back: POSIX ustar with pax records, as much of it as a snapshot needs.

The standard library's `tarfile` takes ten times as long to write a member and reads far more than a snapshot
may hold: links, devices, sparse files, paths. Here everything that this module would not write is refused.
"""

from __future__ import annotations

import struct
from functools import cache, lru_cache

BLOCK = 512
END = bytes(2 * BLOCK)

_HEADER = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x")
_USTAR = b"ustar\x0000"
_LARGEST_ID = 0o7777777
_LARGEST_MTIME = 0o77777777777
_LONGEST_SECONDS = 12
_LATEST_NS = 10**_LONGEST_SECONDS * 1_000_000_000 - 1
"""The year 33658: what a program that takes milliseconds for seconds dates 2026 lies beyond."""
_REST = bytes(100) + _USTAR + bytes(BLOCK - 265)
"""What stands behind the kind: names of a link, an owner and a group, which nothing here has."""
_REST_SUM = sum(_REST)
_BLANK_SUM = 8 * ord(" ")
"""The checksum counts its own field as blanks."""


class TarError(ValueError):
    """Not a member as this module writes it."""


def member(
    name: bytes, size: int, mode: int, mtime_ns: int, uid: int = 0, gid: int = 0, *, exact: bool = True
) -> bytes:
    """Return what stands before a member's content: its header and, when `exact`, a pax header before it.

    The pax header gives the mtime to the nanosecond and whatever does not fit the old fields.
    """
    records = b""
    mtime_ns = min(max(0, mtime_ns), _LATEST_NS)
    if len(name) > 100:
        records += _record(b"path", name)
        name = name[:100]
    if exact:
        records += _record(b"mtime", b"%d.%09d" % divmod(mtime_ns, 1_000_000_000))
    if uid > _LARGEST_ID:
        records += _record(b"uid", b"%d" % uid)
    if gid > _LARGEST_ID:
        records += _record(b"gid", b"%d" % gid)
    seconds = min(mtime_ns // 1_000_000_000, _LARGEST_MTIME)
    header = _header(name, mode, min(uid, _LARGEST_ID), min(gid, _LARGEST_ID), size, seconds, b"0")
    return _pax_header(len(records)) + records + padding(len(records)) + header if records else header


def padding(size: int) -> bytes:
    """Return the zeros that fill the last block of a content of `size` bytes."""
    return _zeros(-size % BLOCK)


@cache
def _pax_header(size: int) -> bytes:
    return _header(b"pax", 0o600, 0, 0, size, 0, b"x")


@cache
def _zeros(size: int) -> bytes:
    return bytes(size)


def _record(key: bytes, value: bytes) -> bytes:
    """`<length> <key>=<value>\\n`, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _header(name: bytes, mode: int, uid: int, gid: int, size: int, mtime: int, kind: bytes) -> bytes:
    owner, owner_sum = _owner(mode, uid, gid)
    numbers = b"%011o\0%011o\0" % (size, mtime)
    total = sum(name) + owner_sum + sum(numbers) + _BLANK_SUM + kind[0] + _REST_SUM
    # A field of the checksum ends in NUL and space, by tradition.
    return b"%s%s%s%s%06o\0 %s%s" % (name, _zeros(100 - len(name)), owner, numbers, total, kind, _REST)


@lru_cache(maxsize=256)
def _owner(mode: int, uid: int, gid: int) -> tuple[bytes, int]:
    """Return the fields that are the same for most files of a folder, and their sum."""
    fields = b"%07o\0%07o\0%07o\0" % (mode, uid, gid)
    return fields, sum(fields)


class Header:
    """A parsed header block. `kind` is b"0" for a file and b"x" for pax records about the next member."""

    __slots__ = ("gid", "kind", "mode", "mtime_ns", "name", "size", "uid")

    def __init__(self, block: bytes) -> None:
        fields = _HEADER.unpack(block)
        self.name = bytes(fields[0]).rstrip(b"\0")
        self.mode = _number(fields[1], 7)
        self.uid = _number(fields[2], 7)
        self.gid = _number(fields[3], 7)
        self.size = _number(fields[4], 11)
        seconds = _number(fields[5], 11)
        self.mtime_ns = seconds * 1_000_000_000
        self.kind = bytes(fields[7])
        if self.kind not in (b"0", b"x") or b"\0" in self.name:
            raise TarError("a member that is not a plain file")
        if block != _header(self.name, self.mode, self.uid, self.gid, self.size, seconds, self.kind):
            raise TarError("a header with fields that no snapshot has")

    def apply(self, records: bytes) -> None:
        """Take over what the pax records of this member say. Raise TarError for any that this module would
        not have written, in its order."""
        wanted = list(_PAX)
        while records:
            length_text, separator, _ = records.partition(b" ")
            if not separator or not length_text.isdigit() or len(length_text) > 4:
                raise TarError("a pax record without a length")
            length = int(length_text)
            line = records[len(length_text) + 1 : length]
            key, equals, value = line[:-1].partition(b"=")
            if not line.endswith(b"\n") or not equals or _record(key, value) != records[:length]:
                raise TarError("a pax record of another form")
            while wanted and wanted[0] != key:
                wanted.pop(0)
            if not wanted:
                raise TarError("a pax record of another kind")
            wanted.pop(0)
            self._take(key, value)
            records = records[length:]

    def _take(self, key: bytes, value: bytes) -> None:
        if key == b"path":
            if len(value) <= 100 or value[:100] != self.name:
                raise TarError("a pax path that does not fit its member")
            self.name = value
        elif key == b"mtime":
            seconds, dot, fraction = value.partition(b".")
            if not dot or len(fraction) != 9 or not fraction.isdigit():
                raise TarError("a pax mtime of another form")
            if not seconds.isdigit() or len(seconds) > _LONGEST_SECONDS:
                raise TarError("a pax mtime of another form")
            self.mtime_ns = int(seconds) * 1_000_000_000 + int(fraction)
        else:
            if not value.isdigit() or len(value) > 10 or int(value) <= _LARGEST_ID:
                raise TarError("a pax id of another form")
            if key == b"uid":
                self.uid = int(value)
            else:
                self.gid = int(value)


_PAX = (b"path", b"mtime", b"uid", b"gid")


def _number(field: bytes, digits: int) -> int:
    text = field[:digits]
    if not text.isdigit() or b"8" in text or b"9" in text:
        raise TarError("a number of another form")
    return int(text, 8)
