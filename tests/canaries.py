"""Secrets that sing: whatever is secret in a test must stand nowhere in what the tool prints or leaves behind.

`run_cli` calls `listen` after each command of the whole suite: the values of all secret variables it was given, and
the private keys of every hand-made `creds.json`, must not be in its output, nor in a file of its state folder or of the
test's home.
"""

from __future__ import annotations

import os
import re
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from baileys_tools.config.schema import SCHEMA

PRIVATE_KEY = "Y2FuYXJ5OSE="
"""What `tests.support.creds` writes for every private key: base64 of `canary9!`."""

ALWAYS = (PRIVATE_KEY, "canary9!")
SHORTEST = 6
LARGEST_FILE = 8 << 20

SECRET_VARIABLES = frozenset(
    name for found in SCHEMA.settings.values() if found.kind.is_secret for name in found.env
) | {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


class SecretLeaked(AssertionError):
    """A secret stands where it must not."""


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """Every text of an environment that must not be shown, also in the forms in which programs write it."""
    found = set(ALWAYS)
    for name, value in environment.items():
        if name in SECRET_VARIABLES:
            found |= {value, *_parts(value)}
        elif name.lower() in PROXY_VARIABLES and "@" in value:
            found |= {*_parts(value.rpartition("@")[0])}
    return {text for text in found if len(text) >= SHORTEST} | set(ALWAYS)


def _parts(value: str) -> Iterator[str]:
    """What of an address is secret by itself: words with `canary`, a user's password, and that in base64."""
    yield from re.findall(r"[\w.%+-]*canary[\w.%+-]*", value)
    if pair := re.search(r"://([^/@]+)@", value + "@"):
        yield pair[1]
        yield b64encode(pair[1].encode()).decode()


def listen(environment: Mapping[str, str], output: str) -> None:
    """Raise SecretLeaked when a secret of `environment` is in `output` or in a file that was left behind."""
    secrets = secrets_of(environment)
    for secret in secrets:
        if secret in output:
            raise SecretLeaked(f"{secret!r} in the output: {output[-2_000:]}")
    for variable in ("BAILEYS_TOOLS_STATE_DIR", "TMPDIR"):
        folder = environment.get(variable, "")
        # A test may name a real place without using it; nobody looks in there.
        if folder.startswith(tempfile.gettempdir() + "/"):
            for path in leaks(Path(folder), secrets):
                raise SecretLeaked(f"a secret in {path}")


def leaks(folder: Path, secrets: set[str]) -> Iterator[Path]:
    """Yield the files below `folder` that hold one of these secrets."""
    wanted = [secret.encode() for secret in secrets]
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            # Somebody else may be at work there, and take it away meanwhile.
            with suppress(FileNotFoundError):
                if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_FILE:
                    content = path.read_bytes()
                    if any(secret in content for secret in wanted):
                        yield path
