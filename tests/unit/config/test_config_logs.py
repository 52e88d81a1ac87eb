"""Which bot writes into which log: `logs` in the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from baileys_tools.config import ConfigError, load_settings
from baileys_tools.config.log_kinds import LogFile
from baileys_tools.config.schema import Logs


def load(tmp_path: Path, text: str) -> Logs:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    return load_settings(
        {}, {}, config=str(file), cwd=str(tmp_path), home=str(tmp_path), euid=1000
    ).settings.logs


@pytest.mark.parametrize("text", ["logs: {entries}", "logs: {{files: {entries}}}"])
def test_a_list_of_logs_may_stand_for_the_section(tmp_path, text):
    entries = '[{path: a.log, company: "07"}, {path: "/srv/{company}/out.log"}, "8=b.log"]'
    assert load(tmp_path, text.format(entries=entries)).files == (
        LogFile(f"{tmp_path}/a.log", "07"),
        LogFile("/srv/{company}/out.log"),
        LogFile(f"{tmp_path}/b.log", "8"),
    )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{path: a.log}", "whose log is"),
        ("a.log", "whose log is"),
        ("{company: 7}", "a log without a path, journal, docker or pm2"),
        ("{journl: a.service, company: 7}", "did you mean journal"),
        ("{journal: --root=/, company: 7}", "is not the name of a systemd unit"),
        ("{journal: 'bot*', company: 7}", "is not the name of a systemd unit"),
        ("{docker: -v, company: 7}", "is not the name of a container"),
        ("{docker: ../x, company: 7}", "is not the name of a container"),
        ("{docker: a, pm2: b, company: 7}", "not docker and pm2"),
        ("{docker: a, directory: /x, company: 7}", "for a journal alone"),
        ("{pm2: shop}", "put {company} into the name"),
        ("{path: a.log, company: ../x}", "is not a company id"),
        ("{path: a.log, compnay: 7}", "the keys are path, .*did you mean company"),
        ("{path: [a.log], company: 7}", "a list is not a path"),
        ("7=", "the path is empty"),
    ],
)
def test_a_log_that_cannot_be_meant_is_refused(tmp_path, entry, said):
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, f"logs: [{entry}]")


def test_a_log_may_be_a_unit_a_container_or_a_process(tmp_path):
    entries = (
        '[{journal: "bot@{company}.service", directory: j}, {docker: shop, company: 7}, "8=pm2:my bot", '
        '"docker:bot-{company}"]'
    )
    files = load(tmp_path, f"logs: {entries}").files
    assert files == (
        LogFile("bot@{company}.service", source="journal", directory=f"{tmp_path}/j"),
        LogFile("shop", "7", source="docker"),
        LogFile("my bot", "8", source="pm2"),
        LogFile("bot-{company}", source="docker"),
    )
    assert [file._replace(path=file.path_of("8") or "").has_valid_name() for file in files] == [
        True,
        False,
        True,
        True,
    ]
    assert not LogFile("bot-*", source="journal").has_valid_name()


def test_a_log_of_two_companies_is_refused(tmp_path):
    """What one bot's log says would be told of both: one that was removed, and both are to be paired anew."""
    entries = "1=/a.log, 2=/a.log, 3=/b.log, 4=/c.log, 5=/c.log, '6=/{company}', 7=/6"
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, f"logs: [{entries}]")
    (problem,) = refused.value.problems
    assert problem.startswith("logs.files: ")
    for told in ('"/a.log" is the log of 1 and of 2', '"/c.log" is the log of 4 and of 5', '"/6" is the'):
        assert told in problem
    assert f"({tmp_path}/settings.yaml:1)" in problem


def test_a_company_may_have_several_logs_and_one_of_them_named_twice(tmp_path):
    entries = (
        "1=/a.log, 1=/b.log, 1=/a.log, '/{company}.log', 1=/1.log, '2=/{company}.txt', '3=/{company}.txt'"
    )
    assert len(load(tmp_path, f"logs: [{entries}]").files) == 6


def test_a_list_for_another_section_is_still_refused(tmp_path):
    with pytest.raises(ConfigError, match="has to be a section"):
        load(tmp_path, "cleanup: [1, 2]")


def test_the_path_of_a_company(tmp_path):
    own, shared = LogFile("/a.log", "7"), LogFile("/srv/{company}.log")
    assert (own.path_of("7"), own.path_of("8")) == ("/a.log", None)
    assert shared.path_of("8") == "/srv/8.log"
