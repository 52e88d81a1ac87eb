"""The help of every command, for `help`: made from the command tree when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import typer

from baileys_tools.cli.groups import every_command

Found = tuple[str, Any, typer.Context]
"""The name of a command or group ("cron", "cron install"), what typer knows of it, and its context."""


def all_of(root: Any) -> Iterator[Found]:
    """Yield each command and group of the command tree."""
    yield from _below(root, typer.Context(root, info_name="baileys-tools", **root.context_settings), ())


def _below(command: Any, context: typer.Context, path: tuple[str, ...]) -> Iterator[Found]:
    if path:
        yield " ".join(path), command, context
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        found = command.get_command(context, name)
        yield from _below(found, typer.Context(found, info_name=name, parent=context), (*path, name))


def command_helps(root: Any) -> Mapping[str, Callable[[], str]]:
    """Given the command tree, return for each command and group what makes its help."""
    return {name: partial(command.get_help, context) for name, command, context in all_of(root)}


def listed(root: Any) -> str:
    """Given the command tree, return all commands by group, a line each."""
    return "\n".join(every_command(partial(root.shown, typer.Context(root, info_name="baileys-tools"))))
