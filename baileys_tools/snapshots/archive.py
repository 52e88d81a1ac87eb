"""One archive: a zstd-compressed tar that holds a session folder, and its strict reader.

    manifest.json          what the snapshot says about itself
    SHA256SUMS             a line for each file, as `sha256sum -c` reads it
    session/<name> ...     the files, sorted by name

`zstd -d < archive | tar x` opens it, `sha256sum -c SHA256SUMS` checks it. The reader takes nothing but this:
it goes from member to member, knows each name before it is met, and writes nowhere.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, Any, Protocol, cast

from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.parsing import parse_json
from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.snapshot import (
    FORMAT,
    LARGEST_FILE,
    MOST_BYTES,
    MOST_FILES,
    Account,
    Counters,
    Entry,
    Manifest,
    StoredFile,
    may_be_stored,
)
from baileys_tools.snapshots.tar import BLOCK, END, Header, TarError, member, padding

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
FOLDER = "session/"

_LEVEL = 3
_LARGEST_MANIFEST = 1 << 16
_LARGEST_SUMS = 24 << 20
_LARGEST_WINDOW = 1 << 23
_LARGEST_PAX = 1 << 10
_FREE_BYTES = 8 << 20
_LARGEST_RATIO = 400
"""Most bytes that a byte of archive may become, beyond the first 8 MiB and what its manifest declares."""
_MOST_AROUND_A_FILE = 4 * BLOCK
"""Its header, its pax header with the records, and the padding."""


class DamagedSnapshot(BaileysToolsError):
    """The file is not the snapshot that it was, or never was one. `why` says how that is known."""

    _is = "is damaged"
    _way_out = "Nothing was changed. Take another snapshot (baileys-tools snapshots), or a copy of this one."

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what} {self._is}: {why}", self._way_out, exit_code=ExitCode.DAMAGED)
        self._what, self.why = what, why

    def __reduce__(self) -> tuple[Any, ...]:
        """As a worker of a fleet sends it; what the base class keeps are not the arguments of this one."""
        return type(self), (self._what, self.why)


class NotForHere(DamagedSnapshot):
    """The file may well be as it was written, but under another name or by a later version."""

    _is = "cannot be used here"
    _way_out = "Nothing was changed. Give it back its folder and its name, or take the version that wrote it."


class _LaterFormat(TarError):
    pass


class Source(Protocol):
    """Where an archive's bytes come from."""

    def read(self, size: int, /) -> bytes: ...


def write_archive(manifest: Manifest, files: Sequence[StoredFile]) -> tuple[Manifest, bytes]:
    """Given the facts and the files of a snapshot, return its completed manifest and the archive.

    The same input gives the same bytes. `files`, `bytes` and `files_sha256` of the manifest are filled in. Raises
    OSError for what `ArchiveReader` would refuse, and for what does not come out again as it was put in.
    """
    import zstandard

    ordered = sorted(files, key=lambda file: file.entry.name)
    sums = b"".join(_sum_line(file.entry) for file in ordered)
    complete = replace(
        manifest,
        files=len(ordered),
        bytes=sum(file.entry.size for file in ordered),
        files_sha256=hashlib.sha256(sums).hexdigest(),
    )
    _require_readable(complete, sums, ordered)
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    written = hashlib.sha256()
    packed: list[bytes] = []
    for chunk in _gathered(_tar(complete, sums, ordered)):
        written.update(chunk)
        packed.append(compressor.compress(chunk))
    packed.append(compressor.flush())
    archive = b"".join(packed)
    # What was packed has to come out again before it may count as a backup.
    if _unpacked_digest(archive) != written.digest():
        raise OSError("the new snapshot does not unpack to what was put in: look at the memory of this host")
    return complete, archive


def _require_readable(manifest: Manifest, sums: bytes, files: Iterable[StoredFile]) -> None:
    """Raise OSError where the reader would refuse the archive for what is in it.

    To read each new archive back through the strict reader would make a backup half as slow again.
    """
    if manifest.files > MOST_FILES or manifest.bytes > MOST_BYTES or len(sums) > _LARGEST_SUMS:
        raise OSError(
            errno.EFBIG,
            f"{manifest.files:,} files of {manifest.bytes >> 20:,} MiB are more than a snapshot may hold "
            f"({MOST_FILES:,} files, {MOST_BYTES >> 20} MiB): move what does not belong to the session elsewhere",
        )
    for file in files:
        if file.entry.size > LARGEST_FILE:
            raise OSError(errno.EFBIG, f"{file.entry.name} is larger than {LARGEST_FILE >> 20} MiB")
    try:
        _parse_manifest(_manifest_json(manifest))
    except ValueError as error:
        raise OSError(errno.EINVAL, f"no snapshot of it could be read again: {error}") from error


def _gathered(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join small parts, as each call of a compressor or a hash has its price."""
    pending: list[bytes] = []
    waiting = 0
    for part in parts:
        pending.append(part)
        waiting += len(part)
        if waiting >= 1 << 18:
            yield b"".join(pending)
            pending, waiting = [], 0
    yield b"".join(pending)


def _unpacked_digest(archive: bytes) -> bytes:
    import zstandard

    digest = hashlib.sha256()
    with zstandard.ZstdDecompressor().stream_reader(archive) as stream:
        while chunk := stream.read(1 << 18):
            digest.update(chunk)
    return digest.digest()


def sums_digest(files: Iterable[StoredFile]) -> str:
    """Return what `files_sha256` would be in a snapshot of these files."""
    ordered = sorted((file.entry for file in files), key=lambda entry: entry.name)
    return hashlib.sha256(b"".join(map(_sum_line, ordered))).hexdigest()


def _sum_line(entry: Entry) -> bytes:
    return f"{entry.sha256}  {FOLDER}{entry.name}\n".encode()


def _tar(manifest: Manifest, sums: bytes, files: Iterable[StoredFile]) -> Iterator[bytes]:
    taken_ns = int(manifest.taken_at.timestamp()) * 1_000_000_000
    for title, content in ((MANIFEST, _manifest_json(manifest)), (SUMS, sums)):
        yield member(title.encode(), len(content), 0o600, taken_ns, exact=False)
        yield content
        yield padding(len(content))
    for file in files:
        entry = file.entry
        name = (FOLDER + entry.name).encode()
        yield member(name, entry.size, entry.mode, entry.mtime_ns, entry.uid, entry.gid)
        yield file.content
        yield padding(entry.size)
    yield END


class ArchiveReader:
    """Reads one archive from its first to its last byte, once. `what` names it in messages.

    The manifest is there at once. Raises DamagedSnapshot at the first thing that a snapshot would not hold.
    `size` is the length of the archive, against which what its manifest does not declare is measured.
    """

    def __init__(self, source: Source, size: int, what: str) -> None:
        import zstandard

        self._what = what
        self._left = _FREE_BYTES + size * _LARGEST_RATIO
        self._errors = (zstandard.ZstdError, TarError, ValueError, RecursionError)
        decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        self._stream = decompressor.stream_reader(cast(IO[bytes], source), read_size=1 << 16)
        try:
            self.manifest = _parse_manifest(self._content(self._member(MANIFEST, _LARGEST_MANIFEST)))
            self._sums = self._read_sums()
            # Within its own limits, what is declared may be as repetitive as it likes: a sparse file is.
            self._left += self.manifest.bytes + self.manifest.files * _MOST_AROUND_A_FILE
        except self._errors as error:
            raise self._damaged(error) from error

    def files(self) -> Iterator[StoredFile]:
        """Yield each file. Only when the iteration has ended is the archive known to be whole."""
        total = 0
        try:
            for name, sha256 in self._sums:
                header = self._member(FOLDER + name, LARGEST_FILE)
                content = self._content(header)
                if hashlib.sha256(content).digest() != sha256:
                    raise TarError(f"the content of {name} does not fit its checksum")
                total += header.size
                if header.mode > 0o777:
                    raise TarError(f"{name} has a mode that no snapshot has")
                yield StoredFile(
                    Entry(
                        name,
                        header.size,
                        header.mode,
                        header.mtime_ns,
                        header.uid,
                        header.gid,
                        sha256.hex(),
                    ),
                    content,
                )
            if total != self.manifest.bytes:
                raise TarError("its files do not add up to what the manifest says")
            if self._read(len(END)) != END or self._stream.read(1):
                raise TarError("it does not end where it should")
        except self._errors as error:
            raise self._damaged(error) from error

    def _member(self, name: str, largest: int) -> Header:
        header = Header(self._read(BLOCK))
        if header.kind == b"x":
            if header.size > _LARGEST_PAX:
                raise TarError("a pax header that is too large")
            records = self._content(header)
            header = Header(self._read(BLOCK))
            header.apply(records)
        if header.kind != b"0" or header.name != name.encode():
            raise TarError(f"{name} is not where it should be")
        if header.size > largest:
            raise TarError(f"{name} is too large")
        return header

    def _content(self, header: Header) -> bytes:
        padded = self._read(header.size + -header.size % BLOCK)
        content = padded[: header.size]
        if padded[header.size :].strip(b"\0"):
            raise TarError("padding that is not empty")
        return content

    def _read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise TarError("it unpacks to far more than a snapshot of its size could hold")
        parts = []
        while size:
            part = self._stream.read(min(size, 1 << 18))
            if not part:
                raise TarError("it is cut off")
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_sums(self) -> list[tuple[str, bytes]]:
        text = self._content(self._member(SUMS, _LARGEST_SUMS))
        if hashlib.sha256(text).hexdigest() != self.manifest.files_sha256:
            raise TarError("its list of checksums is not the one that the manifest names")
        if text.count(b"\n") != self.manifest.files:
            raise TarError("its list of checksums is not as long as the manifest says")
        sums: list[tuple[str, bytes]] = []
        before = ""
        for line in text.decode("utf-8").splitlines():
            digest, _, path = line.partition("  ")
            name = path.removeprefix(FOLDER)
            if path != FOLDER + name or not may_be_stored(name) or name <= before:
                raise TarError("a name that no snapshot holds")
            sha256 = bytes.fromhex(digest)
            if sha256.hex() != digest or len(sha256) != 32:
                raise TarError("a checksum of another form")
            sums.append((name, sha256))
            before = name
        if len(sums) != self.manifest.files:
            raise TarError("a name that no snapshot holds")
        return sums

    def _damaged(self, error: Exception) -> DamagedSnapshot:
        why = str(error) if isinstance(error, TarError) else f"not readable ({type(error).__name__})"
        kind = NotForHere if isinstance(error, _LaterFormat) else DamagedSnapshot
        return kind(self._what, why)


# --- the manifest -------------------------------------------------------------------------------------------


def _manifest_json(manifest: Manifest) -> bytes:
    document = {
        "format": manifest.format,
        "tool": manifest.tool,
        "host": manifest.host,
        "company": manifest.company,
        "account": {
            "masked": manifest.account.masked,
            "fingerprint": manifest.account.fingerprint,
            "identity": manifest.account.identity,
        },
        "taken_at": manifest.taken_at.astimezone(UTC).isoformat(),
        "sequence": manifest.sequence,
        "tag": manifest.tag,
        "counts": {kind.value: count for kind, count in sorted(manifest.counts.items())},
        "counters": {
            "next_pre_key_id": manifest.counters.next_pre_key_id,
            "first_unuploaded_pre_key_id": manifest.counters.first_unuploaded_pre_key_id,
            "account_sync_counter": manifest.counters.account_sync_counter,
        },
        "files": manifest.files,
        "bytes": manifest.bytes,
        "files_sha256": manifest.files_sha256,
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def _parse_manifest(content: bytes) -> Manifest:
    document = parse_json(content)
    said = document.get("format") if isinstance(document, dict) else None
    if said != FORMAT:
        later = isinstance(said, int) and said > FORMAT
        why = f"it is not of format {FORMAT}, the one that this version reads"
        raise _LaterFormat(why) if later else TarError(why)
    try:
        manifest = _manifest(document)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise TarError("its manifest is incomplete") from error
    if _manifest_json(manifest) != content:
        raise TarError("its manifest has fields of another form")
    if not 0 < manifest.files <= MOST_FILES or not 0 < manifest.bytes <= MOST_BYTES:
        raise TarError("it holds more than a snapshot may")
    return manifest


def _manifest(document: Mapping[str, Any]) -> Manifest:
    account, counters = document["account"], document["counters"]
    return Manifest(
        tool=_text(document["tool"]),
        host=_text(document["host"]),
        company=_text(document["company"]),
        account=Account(_text(account["masked"]), _text(account["fingerprint"]), _text(account["identity"])),
        taken_at=datetime.fromisoformat(_text(document["taken_at"])),
        sequence=_count(document["sequence"]),
        tag=_text(document["tag"]),
        # By its value; mypy takes it for the making of a row.
        counts={Kind(kind): _count(count) for kind, count in document["counts"].items()},  # type: ignore[call-arg]
        counters=Counters(
            *(
                None if counters[key] is None else _count(counters[key])
                for key in ("next_pre_key_id", "first_unuploaded_pre_key_id", "account_sync_counter")
            )
        ),
        files=_count(document["files"]),
        bytes=_count(document["bytes"]),
        files_sha256=_text(document["files_sha256"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 53:
        raise TypeError
    return value
