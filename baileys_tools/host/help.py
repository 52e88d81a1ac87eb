"""`help` and `explain`: a command, a finding, a topic, or a page of the documentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from baileys_tools.errors import ExitCode, UsageError
from baileys_tools.finding_codes import CODES
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.host.meanings import WORDS, meaning
from baileys_tools.host.pages import finding_section, page, page_names, runbook_row
from baileys_tools.host.show.page_text import page_text, plain
from baileys_tools.host.topics import TOPICS
from baileys_tools.pasted import command
from baileys_tools.units import did_you_mean, quoted

COMMANDS = "commands"
"""The topic that the command line alone can write: all commands, a line each."""


def help_command(words: Sequence[str], commands: Mapping[str, Callable[[], str]], listed: str) -> ExitCode:
    """Given what help is wanted on, print it: all that goes by that name.

    `commands` makes the help of each command ("cron install" is one), `listed` is all of them with a line each.
    """
    if not words:
        print(_what_there_is(), end="")
        return ExitCode.DONE
    name = " ".join(words)
    texts = [commands[name]().rstrip("\n") + "\n"] if name in commands else []
    if name == COMMANDS:
        texts.append(listed)
    if name in TOPICS:
        texts.append(TOPICS[name].text())
    if name in CODES or name in WORDS:
        texts.append(explained(name))
    of_page = name.removeprefix("docs/").removesuffix(".md")
    if not texts:
        if of_page in page_names():
            print(page_text(page(of_page), Style()), end="")
            return ExitCode.DONE
        known = [*commands, *TOPICS, *CODES, *WORDS, *page_names(), COMMANDS]
        raise UsageError(
            f"there is no help on {quoted(name)}{did_you_mean(name, known)}",
            f"Topics: {', '.join([COMMANDS, *TOPICS])}. Commands: baileys-tools --help. Codes: baileys-tools explain",
        )
    if name in page_names():
        texts.append(f"The page on it: {command('baileys-tools help {}', f'{name}.md')}\n")
    print("\n".join(texts), end="")
    return ExitCode.DONE


def explain_command(codes: Sequence[str]) -> ExitCode:
    """Given codes of findings, diagnoses, states or levels, print what each means and what to type; without any, all
    codes in a line each.
    """
    for code in codes:
        if code not in CODES and code not in WORDS:
            raise UsageError(
                f"there is no finding, diagnosis or state {quoted(code)}{did_you_mean(code, [*CODES, *WORDS])}",
                "All findings: baileys-tools explain. Commands and topics: baileys-tools help",
            )
    if codes:
        print("\n".join(map(explained, codes)), end="")
        return ExitCode.DONE
    for code, info in CODES.items():
        print(f"{code}\n    {info.worst}: {info.meaning}")
    return ExitCode.DONE


def explained(code: str) -> str:
    """Given a finding's code, return what it means, what to type, and what findings.md says of it; given another word
    that commands say of a bot, what it means. All of that name.
    """
    style = Style()
    others = "\n".join(meaning(code))
    if code not in CODES:
        return others
    lines = [style.paint(code, "bold"), *wrapped(CODES[code].meaning, WIDTH, "  "), ""]
    if (row := runbook_row(code)) is not None:
        lines += [*wrapped(f"To type: {plain(row[1])}", WIDTH, "  ", "    "), ""]
    section = page_text(finding_section(code), style)
    return "\n".join(lines) + "\n" + section + (f"\n{others}" if others else "")


def _what_there_is() -> str:
    topics = {COMMANDS: "every command in one line"} | {name: topic.about for name, topic in TOPICS.items()}
    lines = [
        "baileys-tools help COMMAND    its options and examples, such as: help cron install",
        "baileys-tools help CODE       a finding, diagnosis or state: what it means, what to type",
        "baileys-tools help TOPIC",
        *(f"  {name:13} {about}" for name, about in topics.items()),
        "baileys-tools help PAGE       a page of the documentation",
        *wrapped(", ".join(page_names()), WIDTH, "  "),
    ]
    return "\n".join(lines) + "\n"
