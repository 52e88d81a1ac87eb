"""What the command line says to every command: what is set by it, and how the result is to be told."""

from collections.abc import Mapping
from typing import NamedTuple


class CommandLine(NamedTuple):
    """`flags` are settings by their dotted path (None: not given), `config` is the settings file to read.

    `quiet` prints nothing unless something is wrong, `verbose` each file and each reason.
    """

    flags: Mapping[str, object]
    config: str | None = None
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
