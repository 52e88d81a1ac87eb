"""A session's place is where its folder really is, by whichever way it was named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from baileys_tools.sessions.identity import identities_of, identity_of
from baileys_tools.sessions.roots import Company, Root
from tests.support import company_folder


@pytest.mark.parametrize("way", ["plain", "by a link", "relative", "slashes", "dots"])
def test_every_way_to_a_folder_is_one_place(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "srv" / "bots"
    for company in ("1001", "shop"):
        company_folder(root, company)
    (tmp_path / "current").symlink_to("srv")
    monkeypatch.chdir(tmp_path)
    path = {
        "plain": str(root),
        "by a link": str(tmp_path / "current" / "bots"),
        "relative": "srv/bots",
        "slashes": f"{tmp_path}//srv/bots/",
        "dots": f"{root}/../bots",
    }[way]
    with Root(path) as opened:
        found = opened.companies()
        assert identities_of(found) == {one: f"{root}/company_{one}" for one in ("1001", "shop")}
        assert [identity_of(one) for one in found] == [f"{root}/company_{one}" for one in ("1001", "shop")]
    with Root(f"{path}/company_shop") as single:
        assert identities_of(single.companies()) == {"shop": f"{root}/company_shop"}


def test_a_link_that_leads_elsewhere_by_now_is_seen(tmp_path: Path) -> None:
    for name in "ab":
        company_folder(tmp_path / name, "1001")
    link = tmp_path / "current"
    company = Company("1001", "company_1001", f"{link}/company_1001")
    for name in "aba":
        (tmp_path / "next").symlink_to(name)
        os.replace(tmp_path / "next", link)
        assert identity_of(company) == f"{tmp_path}/{name}/company_1001"
