"""SFTP through fsspec, with the host keys checked: fsspec's own class accepts any host."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from datetime import timedelta
from typing import Any

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from baileys_tools.trust import read_trusted


class _CheckedSFTP(SFTPFileSystem):  # type: ignore[misc]
    """An SFTP connection to a host that is in `known_hosts`, with a limit on every wait."""

    def _connect(self) -> None:
        seconds = self.ssh_kwargs.pop("seconds")
        self.client = paramiko.SSHClient()
        self.client.load_system_host_keys()
        self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        self.client.connect(
            self.host,
            timeout=seconds,
            banner_timeout=seconds,
            auth_timeout=seconds,
            channel_timeout=seconds,
            **self.ssh_kwargs,
        )
        self.ftp = self.client.open_sftp()
        self.ftp.get_channel().settimeout(seconds)

    def require_folder(self, path: str) -> None:
        """Raise OSError for what is a link, or no folder: none is followed in there."""
        if not stat.S_ISDIR(self.ftp.lstat(path).st_mode or 0):
            raise NotADirectoryError(
                errno.ENOTDIR, "is not a folder, or is a link, which is not followed", path
            )

    def close_connection(self) -> None:
        """End the connection."""
        self.client.close()


def open_sftp(host: str, port: int | None, user: str | None, timeout: timedelta) -> Any:
    """Connect as `ssh` would: `~/.ssh/config`, known hosts, agent and key files. Never asks for anything."""
    settings: dict[str, Any] = {}
    path = os.path.expanduser("~/.ssh/config")
    if os.path.isfile(path):
        settings = dict(paramiko.SSHConfig.from_path(path).lookup(host))
    for key in settings.get("identityfile", ()):
        with suppress(FileNotFoundError):
            read_trusted(key, 0)
    return _CheckedSFTP(
        settings.get("hostname", host),
        port=port or int(settings.get("port", 22)),
        username=user or settings.get("user"),
        key_filename=settings.get("identityfile"),
        seconds=timeout.total_seconds(),
        skip_instance_cache=True,
    )
