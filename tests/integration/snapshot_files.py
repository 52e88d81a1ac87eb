"""Snapshots for tests: a repository with one archive, and hostile archives with a name that fits their hash."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import zstandard

from baileys_tools.sessions.rules.keyfiles import Kind
from baileys_tools.sessions.rules.snapshot import (
    LARGEST_FILE,
    MOST_BYTES,
    Account,
    Counters,
    Entry,
    Manifest,
    SnapshotInfo,
    StoredFile,
)
from baileys_tools.snapshots import tar
from baileys_tools.snapshots.archive import write_archive
from baileys_tools.snapshots.encryption import Recipients
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.snapshot_names import parse_name, snapshot_name

TAKEN_AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
MTIME_NS = 1_768_478_400_123_456_789


def stored(name: str, content: bytes, mode: int = 0o600) -> StoredFile:
    entry = Entry(name, len(content), mode, MTIME_NS, 1000, 1000, hashlib.sha256(content).hexdigest())
    return StoredFile(entry, content)


def some_files(chance: random.Random, count: int = 12) -> list[StoredFile]:
    files = [stored("creds.json", json.dumps({"secret": chance.randbytes(60).hex()}).encode())]
    return files + [stored(f"pre-key-{number}.json", chance.randbytes(90)) for number in range(1, count)]


def a_manifest(company: str = "1001", sequence: int = 1) -> Manifest:
    return Manifest(
        tool="baileys-tools test",
        host="here",
        company=company,
        account=Account("91****85:17", "f" * 64, "a" * 64),
        taken_at=TAKEN_AT,
        sequence=sequence,
        tag="",
        counts={Kind.CREDS: 1},
        counters=Counters(31, 31, None),
        files=0,
        bytes=0,
        files_sha256="",
    )


def publish(repository: Path, files: Sequence[StoredFile], recipient: str = "") -> SnapshotInfo:
    recipients = Recipients([recipient]) if recipient else None
    with Repository(str(repository), create=True) as opened, opened.writing("1001") as writer:
        return writer.publish(a_manifest(), files, recipients)


def plant(repository: Path, content: bytes, *, encrypted: bool = False) -> SnapshotInfo:
    """Put any bytes into a repository under the name that fits their hash, as an attacker would."""
    name = snapshot_name(1, TAKEN_AT, "", hashlib.sha256(content).hexdigest(), encrypted=encrypted)
    folder = repository / "company_1001"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    info = parse_name("1001", name, len(content))
    assert info is not None
    return info


# --- hostile archives ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """A good archive in pieces, to be put together wrongly."""

    manifest: bytes
    sums: bytes
    files: dict[str, bytes]


def good_parts(names: Sequence[str] = ("creds.json", "pre-key-1.json")) -> Parts:
    files = {name: b'{"of": "%s"}' % name.encode(errors="replace") for name in names}
    sums = sums_of(files)
    manifest = replace(
        a_manifest(),
        files=len(files),
        bytes=sum(map(len, files.values())),
        files_sha256=hashlib.sha256(sums).hexdigest(),
    )
    _, archive = write_archive(manifest, [stored("x", b"x")])
    raw = zstandard.ZstdDecompressor().decompressobj().decompress(archive)
    document = json.loads(raw[512 : 512 + int(raw[124:135], 8)])
    document |= {"files": manifest.files, "bytes": manifest.bytes, "files_sha256": manifest.files_sha256}
    return Parts(json.dumps(document, indent=1).encode() + b"\n", sums, files)


def sums_of(files: dict[str, bytes]) -> bytes:
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  session/{name}\n".encode("utf-8", "surrogateescape")
        for name, content in sorted(files.items())
    ]
    return b"".join(lines)


def block(name: str, content: bytes, mode: int = 0o600) -> bytes:
    raw = name.encode("utf-8", "surrogateescape")
    return tar.member(raw, len(content), mode, MTIME_NS) + content + tar.padding(len(content))


def joined(parts: Parts, files: Sequence[tuple[str, bytes]] | None = None, end: bytes = tar.END) -> bytes:
    """The tar of an archive; `files` are full member names with contents, in the order they are to stand."""
    members = (
        files
        if files is not None
        else [(f"session/{name}", data) for name, data in sorted(parts.files.items())]
    )
    head = b"".join(
        tar.member(name, len(content), 0o600, MTIME_NS, exact=False) + content + tar.padding(len(content))
        for name, content in ((b"manifest.json", parts.manifest), (b"SHA256SUMS", parts.sums))
    )
    return head + b"".join(block(name, content) for name, content in members) + end


def packed(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(raw)


def with_manifest(**changes: object) -> bytes:
    parts = good_parts()
    document = json.loads(parts.manifest) | changes
    return packed(joined(replace(parts, manifest=json.dumps(document, indent=1).encode() + b"\n")))


def named(name: str) -> bytes:
    """Consistent in everything, but with a name in it that no session folder holds."""
    return packed(joined(good_parts(["creds.json", name])))


def special(kind: bytes, target: str = "") -> bytes:
    """With a member of another type in the place of a file, as `tarfile` writes it."""
    parts = good_parts()
    member = tarfile.TarInfo("session/creds.json")
    member.type, member.linkname = kind, target
    return packed(joined(parts, [], end=member.tobuf(tarfile.USTAR_FORMAT) + tar.END))


def by_tarfile() -> bytes:
    """The right content in the standard library's form: owner names, another padding."""
    parts = good_parts()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as writer:
        for name, content in (
            ("manifest.json", parts.manifest),
            ("SHA256SUMS", parts.sums),
            *((f"session/{name}", content) for name, content in parts.files.items()),
        ):
            member = tarfile.TarInfo(name)
            member.size, member.uname = len(content), "root"
            writer.addfile(member, io.BytesIO(content))
    return packed(buffer.getvalue())


def bomb(size: int) -> bytes:
    """A file of `size` zero bytes, declared and summed correctly as far as it goes."""
    parts = good_parts()
    header = tar.member(b"session/creds.json", min(size, 0o77777777777), 0o600, MTIME_NS)
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    chunks = [compressor.compress(joined(parts, [], end=b"") + header)]
    zeros = bytes(1 << 20)
    chunks += [compressor.compress(zeros) for _ in range(size >> 20)]
    return b"".join([*chunks, compressor.flush()])


def declared_bomb() -> bytes:
    """Zeros that its manifest and its list declare, as many as a snapshot may hold, and no end."""
    content = bytes(LARGEST_FILE)
    sums = sums_of({f"{number:02d}.bin": content for number in range(MOST_BYTES // LARGEST_FILE)})
    document = json.loads(good_parts().manifest) | {
        "files": MOST_BYTES // LARGEST_FILE,
        "bytes": MOST_BYTES,
        "files_sha256": hashlib.sha256(sums).hexdigest(),
    }
    head = Parts(json.dumps(document, indent=1).encode() + b"\n", sums, {})
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True).compressobj()
    chunks = [compressor.compress(joined(head, [], end=b""))]
    chunks += [
        compressor.compress(block(f"session/{number:02d}.bin", content))
        for number in range(MOST_BYTES // LARGEST_FILE)
    ]
    return b"".join([*chunks, compressor.flush()])


def swapped(raw: bytes, old: bytes, new: bytes) -> bytes:
    assert old in raw
    return packed(raw.replace(old, new, 1))


def _many_files(count: int) -> bytes:
    return with_manifest(files=count, bytes=1)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty file": lambda: b"",
    "not zstd": lambda: b"PK\x03\x04" + bytes(500),
    "an empty frame": lambda: packed(b""),
    "half a header": lambda: packed(b"x" * 200),
    "zeros": lambda: packed(bytes(4096)),
    "no manifest": lambda: packed(joined(good_parts())[1024:]),
    "cut in the middle": lambda: packed(joined(good_parts())[:3000]),
    "no end": lambda: packed(joined(good_parts(), end=b"")),
    "more after the end": lambda: packed(joined(good_parts()) + bytes(512)),
    "a file more than the list has": lambda: packed(
        joined(
            good_parts(),
            [("session/creds.json", b'{"of": "creds.json"}'), ("session/x.json", b"{}")],
        )
    ),
    "the same file twice": lambda: packed(
        joined(good_parts(), [("session/creds.json", b'{"of": "creds.json"}')] * 2)
    ),
    "another order": lambda: packed(
        joined(
            good_parts(), [(f"session/{n}", c) for n, c in sorted(good_parts().files.items(), reverse=True)]
        )
    ),
    "another content": lambda: packed(
        joined(
            good_parts(),
            [
                ("session/creds.json", b'{"of": "CREDS.json"}'),
                ("session/pre-key-1.json", b'{"of": "pre-key-1.json"}'),
            ],
        )
    ),
    "up and out": lambda: named("../../etc/cron.d/x"),
    "parent folder": lambda: named(".."),
    "this folder": lambda: named("."),
    "absolute": lambda: named("/etc/passwd"),
    "below a folder": lambda: named("folder/x.json"),
    "backslash": lambda: named("..\\x.json"),
    "line break": lambda: named("a\nb.json"),
    "escape code": lambda: named("\x1b[2J.json"),
    "no UTF-8": lambda: named("\udcff.json"),
    "leading dash": lambda: named("-rf"),
    "right to left": lambda: named("‮nosj.x"),
    "256 bytes": lambda: named("x" * 256),
    "empty name": lambda: named(""),
    "symbolic link": lambda: special(tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": lambda: special(tarfile.LNKTYPE, "/etc/passwd"),
    "folder": lambda: special(tarfile.DIRTYPE),
    "FIFO": lambda: special(tarfile.FIFOTYPE),
    "block device": lambda: special(tarfile.BLKTYPE),
    "character device": lambda: special(tarfile.CHRTYPE),
    "GNU long name": lambda: special(tarfile.GNUTYPE_LONGNAME),
    "GNU sparse": lambda: special(tarfile.GNUTYPE_SPARSE),
    "written by tarfile": by_tarfile,
    "set-user-id": lambda: packed(
        joined(good_parts(), [], end=block("session/creds.json", b'{"of": "creds.json"}', 0o4755) + tar.END)
    ),
    "bomb in a file": lambda: bomb(64 << 20),
    "bomb of a gigabyte": lambda: bomb(1 << 30),
    "bomb within what it declares": declared_bomb,
    "bomb in the window": lambda: zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27, strategy=1)
    ).compress(bytes(1 << 20) + random.Random(1).randbytes(1000)),
    "large manifest": lambda: packed(
        tar.member(b"manifest.json", 1 << 26, 0o600, 0, exact=False) + b"[" * (1 << 26)
    ),
    "deep manifest": lambda: packed(
        tar.member(b"manifest.json", 60_000, 0o600, 0, exact=False) + b"[" * 60_000 + bytes(4096)
    ),
    "another format": lambda: with_manifest(format=2),
    "format as text": lambda: with_manifest(format="1"),
    "manifest of a list": lambda: packed(block("manifest.json", b"[]")),
    "too many files": lambda: _many_files(10**9),
    "minus one file": lambda: with_manifest(files=-1),
    "more bytes than there are": lambda: with_manifest(bytes=10**6),
    "no time": lambda: with_manifest(taken_at="yesterday"),
    "a number that is none": lambda: with_manifest(bytes=float("nan")),
    "another company": lambda: with_manifest(company="1002"),
    "another sequence": lambda: with_manifest(sequence=7),
    "unknown field": lambda: with_manifest(run="rm -rf /"),
    "wrong header checksum": lambda: swapped(joined(good_parts()), b"0000600\0", b"0000601\0"),
    "owner name in the header": lambda: swapped(joined(good_parts()), b"ustar\x0000", b"ustar  \0"),
}
"""Archives that nobody's backup wrote, each under a name that fits its hash."""


def fuzzed(chance: random.Random) -> Iterator[bytes]:
    """Without end: good and hostile archives with bytes changed, before or after compression."""
    pool = [joined(good_parts()), joined(good_parts([f"pre-key-{n}.json" for n in range(1, 9)]))]
    while True:
        raw = bytearray(chance.choice(pool))
        for _ in range(chance.choice([1, 1, 2, 5, 40])):
            place = chance.randrange(len(raw))
            match chance.randrange(4):
                case 0:
                    raw[place] = chance.randrange(256)
                case 1:
                    raw[place] ^= 1 << chance.randrange(8)
                case 2:
                    raw[place : place + chance.randrange(600)] = b""
                case _:
                    other = chance.choice(pool)
                    start = chance.randrange(len(other))
                    raw[place:place] = other[start : start + chance.randrange(1200)]
            if not raw:
                raw = bytearray(b"x")
        if chance.random() < 0.6:
            yield packed(bytes(raw))
            continue
        whole = bytearray(packed(chance.choice(pool)))
        for _ in range(chance.choice([1, 2, 8])):
            whole[chance.randrange(len(whole))] = chance.randrange(256)
        yield bytes(whole)
