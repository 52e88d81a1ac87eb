"""The live page: `serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from baileys_tools.cli.app import ConfigOption, SessionsOption, app, finish
from baileys_tools.cli.quick import sessions_flags


@app.command()
def serve(
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="ADDRESS", help="Where to serve. [default: 127.0.0.1:8787]"),
    ] = None,
    allow_actions: Annotated[
        bool | None,
        typer.Option(
            "--allow-actions/--no-allow-actions", help="Have buttons that run commands. [default: off]"
        ),
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(
            "--token-file", metavar="PATH", help="The token. [default: page/token in the state folder]"
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NAME", help="A name under which browsers reach it; repeatable."),
    ] = None,
    sessions: SessionsOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve a live page of the fleet, to look at and to act.

    The page shows what status shows, the worst first, and is up to date within seconds of each pass of
    monitor-once, which cron goes on to run. The start prints a link that lets one browser in. With
    --allow-actions the page has buttons; each runs the command of the same name in a process of its own.
    Ends with Ctrl-C or SIGTERM.

    \b
    Examples:
      baileys-tools serve
      baileys-tools serve --allow-actions
      baileys-tools serve --listen 0.0.0.0:8787 --name bots.example.org
      curl -H "Authorization: Bearer $(cat TOKEN_FILE)" \\
        http://127.0.0.1:8787/status.json
    """
    from baileys_tools.page.serving import serve_command

    flags = {
        **sessions_flags(sessions),
        "serve.listen": listen,
        "serve.allow_actions": allow_actions,
        "serve.token_file": token_file,
        "serve.names": name or None,
    }
    finish(lambda: serve_command(flags, config))
