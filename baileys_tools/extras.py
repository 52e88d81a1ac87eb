"""Libraries that only some settings need: which, whether they are here, and how they are added to this installation."""

import sys
from importlib.util import find_spec

from baileys_tools.pasted import command

PACKAGES = {
    "sftp": {"paramiko": "paramiko", "fsspec": "fsspec"},
    "s3": {"s3fs": "s3fs"},
    "postgres": {"psycopg": "psycopg[binary]"},
    "redis": {"redis": "redis"},
    "apprise": {"apprise": "apprise", "requests": "requests"},
    "serve": {"starlette": "starlette", "uvicorn": "uvicorn"},
}
"""By the extras of `pyproject.toml`, the modules that each brings, and the package that has it."""


def missing_of(extra: str) -> str:
    """Given an extra, return the first of its modules that is not installed, "" where all are."""
    return next((module for module in PACKAGES[extra] if find_spec(module) is None), "")


def way_to_add(extra: str) -> str:
    """Given an extra, return the command that adds it to where this tool is installed."""
    packages = [*PACKAGES[extra].values()]
    words = " {}" * len(packages)
    if "pipx" in sys.prefix.split("/"):
        return command("pipx inject baileys-tools" + words, *packages)
    return command("{} -m pip install" + words, sys.executable, *packages)
