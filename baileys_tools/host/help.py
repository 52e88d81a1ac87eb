"""`help`: a page on a topic."""

from __future__ import annotations

from baileys_tools.errors import ExitCode, UsageError
from baileys_tools.host.topics import TOPICS
from baileys_tools.units import did_you_mean, quoted


def help_command(topic: str | None) -> ExitCode:
    """Given the command line, print the page of a topic, or which there are."""
    if topic is None:
        print("topics (baileys-tools help TOPIC):")
        for name, page in TOPICS.items():
            print(f"  {name:12} {page.about}")
        print("commands: baileys-tools --help, baileys-tools COMMAND --help")
        return ExitCode.DONE
    if topic not in TOPICS:
        raise UsageError(
            f"there is no topic {quoted(topic)}{did_you_mean(topic, TOPICS)}",
            f"Topics: {', '.join(TOPICS)}. For a command: baileys-tools COMMAND --help",
        )
    print(TOPICS[topic].text(), end="")
    return ExitCode.DONE
