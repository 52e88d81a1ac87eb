"""What all commands share: the application, the options, and the one way out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from baileys_tools import __version__
from baileys_tools.cli.complete import complete_company
from baileys_tools.cli.quick import sessions_flags
from baileys_tools.errors import UsageError
from baileys_tools.frame.command_line import CommandLine


class _Commands(TyperGroup):
    """The commands, with a word on what is meant when a company is named without its option."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from baileys_tools.cli.groups import first_page

        lines = [
            "Usage: baileys-tools COMMAND [OPTIONS]             New here? baileys-tools setup",
            *first_page(partial(self.shown, ctx)),
            "Before or behind the command: --sessions PATH, --company ID, --config FILE.",
            "More: help commands, help COMMAND|CODE|TOPIC, --version, --install-completion",
        ]
        formatter.write("\n".join(lines) + "\n")

    def shown(self, ctx: Any, name: str) -> str:
        """Given the name of a command, return in one line what it does."""
        command = self.get_command(ctx, name)
        return "" if command is None else command.get_short_help_str(80)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except USAGE_ERROR as error:
            if meant := _company_meant(error, sys.argv[2:]):
                from shlex import quote

                named = f"Did you mean --company {quote(meant)}?" if meant.isprintable() else ""
                error.message = ". ".join(filter(None, [error.message, named]))
            raise


USAGE_ERROR: Any = typer.BadParameter.__base__
"""Click's, whichever click typer comes with."""


def _company_meant(error: Any, words: Sequence[str]) -> str:
    """Given a usage error and the words behind the command, return the ids that were given as plain words."""
    has_option = error.ctx is not None and any(
        parameter.name == "company" for parameter in error.ctx.command.params
    )
    extra = re.search(r"unexpected extra argument.* \((.+)\)$", error.message)
    if has_option and extra is not None:
        return ",".join(extra[1].split())
    is_missing = getattr(getattr(error, "param", None), "name", "") == "company" and not error.message
    if is_missing and any(
        one.param_type_name == "argument" and one.required for one in error.ctx.command.params
    ):
        return ""  # the word is what the command is about
    return words[0] if is_missing and words and not words[0].startswith("-") else ""


app = typer.Typer(
    name="baileys-tools",
    cls=_Commands,
    help="Keep the session folders of WhatsApp bots (Baileys) alive: clean, undo, back up, restore, explain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help reads the same everywhere and saves loading rich.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)

SessionsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sessions",
        metavar="PATH",
        help="Folder of the session folders, one session folder, or a pattern; repeatable.",
    ),
]

company_option = partial(typer.Option, "--company", metavar="ID", autocompletion=complete_company)
CompanyOption = Annotated[
    list[str] | None,
    company_option(help="Only this company, or these: 1001,1002; repeatable. [default: all]"),
]
NamedCompanyOption = Annotated[
    list[str] | None, company_option(help="The company, or these: 1001,1002; repeatable.")
]
OnlyCompanyOption = Annotated[
    list[str] | None, company_option(help="The company; may be left out where there is only one.")
]


def _company_id(text: str) -> str:
    from baileys_tools.config import valid_company_id

    try:
        return valid_company_id(text)
    except ValueError as error:
        raise UsageError(f"--company: {error}") from error


def _company_id_or_none(text: str) -> str:
    return _company_id(text) if text else ""


OneCompanyOption = Annotated[str, company_option(help="The company.", parser=_company_id)]
OneIfSeveralOption = Annotated[
    str,
    company_option(help="The company; may be left out where there is only one.", parser=_company_id_or_none),
]
ConfigOption = Annotated[str | None, typer.Option("--config", metavar="FILE", help="Settings file to read.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say more: each file, each reason.")]
IdentityOption = Annotated[
    str | None,
    typer.Option("--identity", metavar="FILE", help="age secret key that opens encrypted snapshots."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing unless something is wrong.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"baileys-tools {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def command_line(
    sessions: Sequence[str] | None,
    config: str | None,
    company: Sequence[str] | None = None,
    more: Mapping[str, object] = {},
    *,
    json: bool = False,
    quiet: bool = False,
    verbose: bool = False,
) -> CommandLine:
    """Given what many commands can be given, return it as one; `more` is what this one sets besides."""
    flags = {**sessions_flags(sessions), "sessions.companies": company or None, **more}
    return CommandLine(flags, config, json, quiet, verbose)


def finish(command: Callable[[], int]) -> None:
    """Run a command and exit with its code."""
    raise typer.Exit(int(command()))
