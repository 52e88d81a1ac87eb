"""age encryption: a host holds only public keys and cannot read what it wrote.

pyrage holds a whole Rust implementation, so it is imported where a key is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from baileys_tools.ending import start_aside
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.snapshots.archive import Source
from baileys_tools.trust import read_trusted

if TYPE_CHECKING:
    from threading import Thread

_LARGEST_KEY_FILE = 1 << 16


class WrongKey(BaileysToolsError):
    """The snapshot is encrypted, and not for the key at hand."""

    def __init__(self, what: str, *, no_key: bool) -> None:
        super().__init__(
            f"{what} is encrypted" + ("" if no_key else " and the identity given does not open it"),
            "Give the secret key of one of its recipients: --identity FILE (setup wrote it to "
            "~/baileys-tools-key.txt and asked to take it elsewhere), or backup.identity_file in the settings.",
            exit_code=ExitCode.WRONG_KEY,
        )
        self._what, self._no_key = what, no_key

    def __reduce__(self) -> tuple[Any, ...]:
        """As a worker of a fleet sends it; `no_key` goes by its name only."""
        return partial(type(self), no_key=self._no_key), (self._what,)


def new_key() -> tuple[str, str]:
    """Make a key; return its public half, and the identity file that is to hold its secret half."""
    import pyrage

    secret = pyrage.x25519.Identity.generate()
    public = str(secret.to_public())
    return public, f"# public key: {public}\n{secret}\n"


class Recipients:
    """Public keys to encrypt to: `age1...` or `ssh-ed25519 ...`. Raises UsageError for any other text."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._keys = [_recipient(text) for text in texts]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def encrypt(self, content: bytes) -> bytes:
        """Return the content as an age file."""
        import pyrage

        encrypted: bytes = pyrage.encrypt(content, self._keys)
        return encrypted


def _recipient(text: str) -> Any:
    import pyrage

    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        # A secret key that was pasted here must not be shown.
        shown = "a secret key" if "SECRET" in text.upper() else f"{text[:16]}..."
        raise UsageError(
            f"backup.recipients: invalid age recipient: {shown}",
            "A recipient is a public key, age1... or ssh-ed25519 ...; `age-keygen -y key.txt` prints it.",
        ) from None


class Identities:
    """Secret keys from an identity file, as `age-keygen` or `ssh-keygen` wrote it. Never shown."""

    def __init__(self, path: str) -> None:
        import pyrage

        try:
            content = read_trusted(path, _LARGEST_KEY_FILE)
        except OSError as error:
            raise _no_identity(path, error.strerror or "not readable") from None
        self._keys: list[Any] = []
        try:
            if content.startswith(b"-----BEGIN"):
                self._keys.append(pyrage.ssh.Identity.from_buffer(content))
            for line in content.decode("ascii", "replace").splitlines():
                if line.strip().startswith("AGE-SECRET-KEY-"):
                    self._keys.append(pyrage.x25519.Identity.from_str(line.strip()))
        except pyrage.IdentityError:
            raise _no_identity(path, "not a key that age can use") from None
        if not self._keys:
            raise _no_identity(path, "it holds no AGE-SECRET-KEY-... line and no ssh key")

    def __repr__(self) -> str:
        return "Identities(***)"

    @contextmanager
    def decrypting(self, file: BinaryIO, what: str) -> Iterator[Source]:
        """Yield a stream of what the open age file holds, without ever holding all of it.

        A wrong key raises WrongKey, a damaged file ValueError, both at reading.
        """
        import pyrage

        reading, writing = os.pipe()
        trouble: list[BaseException] = []

        def pump() -> None:
            try:
                with open(writing, "wb") as sink:
                    pyrage.decrypt_io(file, sink, self._keys)
            except BaseException as error:  # noqa: BLE001 (handed to the reader; a panic in Rust is none else)
                trouble.append(error)

        thread = start_aside(pump)
        try:
            with open(reading, "rb", buffering=1 << 16) as stream:
                yield _Decrypted(stream, thread, trouble, what)
        finally:
            # With nobody reading, the other end stops at its next write.
            thread.join()


class _Decrypted:
    def __init__(self, stream: BinaryIO, thread: Thread, trouble: list[BaseException], what: str) -> None:
        self._stream = stream
        self._thread = thread
        self._trouble = trouble
        self._what = what

    def read(self, size: int, /) -> bytes:
        content = self._stream.read(size)
        if len(content) < size:
            self._thread.join()
            if self._trouble:
                error = self._trouble[0]
                if "matching keys" in str(error).lower():
                    raise WrongKey(self._what, no_key=False)
                raise ValueError("its encryption does not hold")
        return content


def _no_identity(path: str, why: str) -> BaileysToolsError:
    return BaileysToolsError(
        f"cannot use the identity file {path}: {why}",
        "An identity file is what `age-keygen -o key.txt` writes.",
        exit_code=ExitCode.WRONG_KEY,
    )
