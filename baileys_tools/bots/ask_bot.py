"""`reconnect`, `start-session`, `send-test` and `qr`: one request to one bot, and what became of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from baileys_tools.bots.asking import bot_api_for, require_bot_api, where_of
from baileys_tools.bots.rules.connection import Connection, ConnectionState
from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.places import require_file, settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.pasted import command
from baileys_tools.units import is_utf8, parse_duration, printable, quoted

if TYPE_CHECKING:
    from baileys_tools.bots.bot_api import BotApi
    from baileys_tools.bots.rules.qr import Modules

LOOK_EVERY = 2.0
"""Seconds between two looks for a newer QR code: WhatsApp gives a new one every 20 seconds, the first lasts 60."""
PAGE_PICTURES = "page/actions"
"""The folder in the state folder where `serve` has the codes of the moment."""
FEWEST_DIGITS, MOST_DIGITS = 7, 15
"""Of a phone number with its country (E.164)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one request. `to` is a masked number, `codes` how many QR or pairing codes were shown."""

    command: str
    company: str
    now: datetime
    connection: Connection
    done: bool
    said: str
    next_step: str = ""
    facts: Mapping[str, Any] | None = None

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.DONE if self.done else ExitCode.FAILED


def ask_command(
    command: str,
    company: str,
    config: str | None,
    ask: Callable[[Settings, str, datetime], Asked],
    *,
    as_json: bool,
    quiet: bool = False,
) -> ExitCode:
    """Given the command line and what to ask, do it, print the result once, and return the exit code."""
    loaded = settings_in_force({}, config)
    now = datetime.now(UTC)
    with recorded(command, loaded.settings, now, quiet=quiet) as run:
        asked = ask(loaded.settings, company, now)
        run.ended(asked.exit_code)
    if as_json:
        from baileys_tools.bots.show.bot_json import asked_json

        print(asked_json(asked))
    elif asked.done:
        if not quiet:
            print(printable(f"{asked.company}: {asked.said}"))
            if asked.next_step:
                print(printable(asked.next_step))
    else:
        raise BaileysToolsError(f"company {asked.company}: {asked.said}", asked.next_step)
    return asked.exit_code


def reconnect(settings: Settings, company: str, now: datetime, *, wait: str = "30s") -> Asked:
    """Have a bot connect again, and wait until it has. Raises BaileysToolsError when it cannot be asked."""
    seconds = _seconds("--wait", wait)
    api = require_bot_api(settings, company)
    _do(settings, company, api.reconnect)
    return _became("reconnect", company, now, _wait(api, seconds), wait)


def start_session(settings: Settings, company: str, now: datetime, *, wait: str = "30s") -> Asked:
    """Have a bot start its session, and wait until it is connected or has a QR code to show."""
    seconds = _seconds("--wait", wait)
    api = require_bot_api(settings, company)
    _do(settings, company, api.init)
    connection = _wait(api, seconds, or_qr=True)
    if connection.has_qr and not connection.is_connected:
        said = "started; it waits for a QR code to be scanned"
        show = f"{command('baileys-tools qr --company {}', company)} shows it."
        return Asked("start-session", company, now, connection, True, said, show)
    return _became("start-session", company, now, connection, wait)


def _became(verb: str, company: str, now: datetime, connection: Connection, wait: str) -> Asked:
    if connection.is_connected:
        who = f" as {connection.user_masked}" if connection.user_masked else ""
        return Asked(verb, company, now, connection, True, f"connected{who}")
    what = connection.detail or f"it is {connection.state.value}"
    said = f"the bot was asked, but is not connected after {wait}: {what}"
    help_ = f"{command('baileys-tools recover --company {} --dry-run', company)} says why and what to do."
    return Asked(verb, company, now, connection, False, said, help_)


def send_test(
    settings: Settings, company: str, now: datetime, *, to: str, message: str | None = None
) -> Asked:
    """Send a message from a bot to a number. The number is never shown whole."""
    from baileys_tools.masking import masked_number

    number = phone_number("--to", to)
    text = message if message is not None else f"baileys-tools: a test, {now:%H:%M} UTC"
    if not is_utf8(text):
        raise UsageError("--message is not valid UTF-8", "Give it in UTF-8.")
    api = require_bot_api(settings, company)
    connection = api.connection()
    masked = masked_number(number)
    facts = {"to": masked}
    if connection.state in (ConnectionState.DISCONNECTED, ConnectionState.CONNECTING):
        said = f"nothing was sent to {masked}: the bot is {connection.state.value}"
        help_ = f"{command('baileys-tools reconnect --company {}', company)}, then try again."
        return Asked("send-test", company, now, connection, False, said, help_, facts)
    if _do(settings, company, lambda: api.send(number, text)):
        return Asked("send-test", company, now, connection, True, f"sent to {masked}", facts=facts)
    said = f"asked to send to {masked}; the answer does not say that it did"
    help_ = "Where the answer has a word for it, give bot_api.send its expression as ok (docs/recovery.md)."
    return Asked("send-test", company, now, connection, True, said, help_, facts)


def phone_number(option: str, text: str) -> str:
    """Given a number as people write it, return its digits. Raises UsageError, which does not quote it."""
    digits = "".join(character for character in text if character not in "+- ()./")
    if not (digits.isascii() and digits.isdigit() and FEWEST_DIGITS <= len(digits) <= MOST_DIGITS):
        raise UsageError(
            f"{option} is not a phone number", "Give it with its country, for example 4917012345678."
        )
    return digits


def _seconds(option: str, text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def require_pairing(
    settings: Settings, company: str, *, timeout: str, number: str | None, png: str | None
) -> None:
    """Raise UsageError for a pairing that could not be made as it was asked for, before anything is done for it."""
    _seconds("--timeout", timeout)
    if number is not None:
        phone_number("--pairing-code", number)
    if png is not None:
        _require_picture(settings, png)
    api = bot_api_for(settings, company)
    for what in ("init", "qr" if number is None else "pairing_code"):
        if api is not None and not api.offers(what):
            raise _unsupported(company, what)


def _require_picture(settings: Settings, png: str) -> None:
    from baileys_tools.bots.rules.qr import PNG_SIGNATURE

    if not os.path.isdir(folder := os.path.dirname(os.path.abspath(png))):
        raise UsageError(f"--png: {quoted(folder)} is not a folder")
    # Among what the state keeps, where the live page has it while somebody scans.
    require_file(settings, "--png", png, PNG_SIGNATURE, own_name=f"{PAGE_PICTURES}/{os.path.basename(png)}")


def _unsupported(company: str, what: str) -> UsageError:
    return UsageError(
        f"company {company}: bot_api has no request {what}",
        f"Give it as bot_api.{what}, or name a bot_api.preset that has it.",
    )


def _do(settings: Settings, company: str, act: Callable[[], object]) -> object:
    from baileys_tools.bots.bot_api import ApiError, Unsupported

    try:
        return act()
    except Unsupported as error:
        raise _unsupported(company, str(error).rpartition(" ")[2]) from error
    except ApiError as error:
        raise BaileysToolsError(
            f"company {company}: the bot's API at {where_of(settings, company)}: {error}",
            "See that the bot runs, and that bot_api in the settings fits it (baileys-tools config show).",
        ) from error


def _wait(api: BotApi, seconds: float, *, or_qr: bool = False) -> Connection:
    end = time.monotonic() + seconds
    while True:
        connection = api.connection()
        left = end - time.monotonic()
        if connection.is_connected or (or_qr and connection.has_qr) or left <= 0:
            return connection
        time.sleep(min(LOOK_EVERY / 2, left))


# --- QR and pairing codes -----------------------------------------------------------------------------------


def show_qr(
    settings: Settings,
    company: str,
    now: datetime,
    *,
    show: Callable[[Modules], None],
    timeout: str = "3m",
    png: str | None = None,
    patient: bool = False,
) -> Asked:
    """Show the QR code of a bot with `show`, each new one anew, until it is connected or the time is over.

    `png` is the file that `show` writes, if any. `patient`: the bot has just been told to start, so an API that does
    not answer yet is no error. Raises UsageError for a file that must not be written.
    """
    from baileys_tools.bots.bot_api import ApiError

    seconds = _seconds("--timeout", timeout)
    if png is not None:
        _require_picture(settings, png)
    api = require_bot_api(settings, company)
    end = time.monotonic() + seconds
    shown, codes, trouble = "", 0, ""
    while True:
        connection = api.connection()
        if connection.is_connected:
            who = f" as {connection.user_masked}" if connection.user_masked else ""
            return Asked(
                "qr", company, now, connection, True, f"connected{who}", facts={"codes_shown": codes}
            )
        try:
            code, trouble = api.qr(), ""
        except ApiError as error:
            if not (codes or patient) and connection.state is ConnectionState.UNKNOWN:
                _do(settings, company, api.qr)
            code, trouble = "", str(error)
        if code and code != shown:
            show(modules_of(code))
            shown, codes = code, codes + 1
        left = end - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(LOOK_EVERY, left))
    return _not_scanned(company, now, connection, codes, timeout, trouble)


def _not_scanned(
    company: str, now: datetime, connection: Connection, codes: int, timeout: str, trouble: str
) -> Asked:
    if codes:
        unscanned = "its QR code was not scanned" if codes == 1 else f"none of {codes} QR codes was scanned"
        said = f"not connected after {timeout}: {unscanned}"
        # Not "again": after a reset that would set the half-made pairing aside under the code that is shown.
        help_ = (
            f"{command('baileys-tools qr --company {}', company)} shows it anew; scan it with "
            "the phone: Settings, Linked devices, "
            "Link a device."
        )
    else:
        why = trouble or connection.detail or f"the bot is {connection.state.value}"
        said = f"no QR code came within {timeout}: {why}"
        help_ = (
            f"{command('baileys-tools start-session --company {}', company)} has the bot start its session, "
            "and then make one."
        )
    return Asked("qr", company, now, connection, False, said, help_, facts={"codes_shown": codes})


def modules_of(code: str) -> Modules:
    """Given what an API gave for a QR code, return its modules. Raises BaileysToolsError for an invalid one."""
    from baileys_tools.bots.rules.qr import modules_of_picture, picture_of

    try:
        picture = picture_of(code)
        if picture is not None:
            return modules_of_picture(picture)
        import segno

        # The least of error correction makes the smallest code, and a screen has no scratches.
        return [
            [bool(module) for module in row]
            for row in segno.make_qr(code, error="l", boost_error=False).matrix
        ]
    except (ValueError, OverflowError) as error:
        reason = "it is too long"
        if isinstance(error, UnicodeError):
            reason = "it is not text"
        elif "QR code" in str(error):
            reason = str(error)
        raise BaileysToolsError(
            f"what the bot's API gives as a QR code cannot be shown: {printable(reason)}",
            "See that bot_api.qr has the expression for the code's text.",
        ) from None


def pairing_code(
    settings: Settings, company: str, now: datetime, *, number: str, show: Callable[[str], None], timeout: str
) -> Asked:
    """Show a pairing code for the phone with this number, and wait until the bot is connected."""
    seconds = _seconds("--timeout", timeout)
    digits = phone_number("--pairing-code", number)
    api = require_bot_api(settings, company)
    codes: list[str] = []
    _do(settings, company, lambda: codes.append(api.pairing_code(digits)))
    code = codes[0].replace("-", "")
    if not (code.isascii() and code.isalnum() and len(code) == 8):
        raise BaileysToolsError(
            f"company {company}: the bot's API gave no pairing code",
            f"{command('baileys-tools qr --company {}', company)} shows a QR code instead.",
        )
    show(f"{code[:4]}-{code[4:]}")
    connection = _wait(api, seconds)
    if connection.is_connected:
        return Asked("qr", company, now, connection, True, "connected", facts={"codes_shown": 1})
    said = f"not connected after {timeout}: the code was not entered"
    help_ = f"{command('baileys-tools qr --company {} --pairing-code NUMBER', company)} shows a new one."
    return Asked("qr", company, now, connection, False, said, help_, {"codes_shown": 1})


def on_terminal(company: str, png: str | None, *, as_json: bool) -> Callable[[Modules], None]:
    """Return what shows a QR code: on standard output, with --json on standard error, and as a PNG."""
    stream = sys.stderr if as_json else sys.stdout

    def show(modules: Modules) -> None:
        from baileys_tools.bots.show.qr_text import qr_text, why_cut

        if png is not None:
            _write_png(png, modules)
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        if stream.isatty():
            print("\x1b[H\x1b[2J", end="", file=stream)
        blocks = "utf" in (stream.encoding or "").lower()
        print(qr_text(modules, colour=stream.isatty() and not plain, blocks=blocks), file=stream)
        whose = f"Company {printable(company)}: scan" if company else "Scan"
        if stream.isatty() and png is None and (cut := why_cut(modules, *get_terminal_size(), blocks=blocks)):
            print(cut, file=stream)
        print(f"{whose} it with the phone (Settings, Linked devices).", file=stream, flush=True)

    return show


def _write_png(path: str, modules: Modules) -> None:
    """Put the picture there, whole, for its owner alone: whoever scans it has the account."""
    from baileys_tools.bots.rules.qr import PNG_SIGNATURE, picture_of_modules
    from baileys_tools.frame.own_file import write_own_file

    try:
        write_own_file(path, picture_of_modules(modules), PNG_SIGNATURE)
    except OSError as error:
        raise BaileysToolsError(f"cannot write {quoted(path)}: {error.strerror}") from error
