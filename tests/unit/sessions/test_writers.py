"""What has written a session folder, from the names of its files."""

import pytest

from baileys_tools.sessions.rules.writers import writer_of


@pytest.mark.parametrize(
    ("names", "program"),
    [
        (["creds.json", "pre-key-1.json", "session-4917.0.json"], "Baileys 6"),
        (["creds.json", "pre-key-1.json"], "Baileys 6, or a 7 without a contact yet"),
        (["creds.json", "session-4917.0.json", "lid-mapping-4917.json"], "Baileys 7"),
        (["creds.json", "identity-key-4917.0.json"], "Baileys 7"),
        (["creds.json", "creds.json.bak", "session-4917.0.json"], "Baileys 6"),
        (["creds.json", "session-4917.0.json", "session-4917.0.json.bak"], "the next version of Baileys"),
        (["creds.json", "pre-key-1.json.bak", "device-list-4917.json"], "the next version of Baileys"),
        (["creds.json", "pre-key-1.json.tmp", "device-list-4917.json"], "Baileys 7"),
        (["creds.json", "session-4917.0.json", "session-4917.1.json.tmp"], "Baileys 6"),
        (["creds.json", "contacts-tc-token-4917.json"], "whaileys"),
        (
            ["creds.json", "session-4917.0.json", "sender-key-120363@g.us--4917-12--0.json"],
            "whaileys, or Baileys up to 6.4",
        ),
        (["creds.json"], ""),
        ([], ""),
        (["notes.txt.bak", "x.json.bak"], ""),
    ],
)
def test_names_tell_what_has_written_a_folder(names: list[str], program: str) -> None:
    writer = writer_of(names)
    assert writer.program == program
    assert "4917" not in writer.because
