"""The HTML report in headless Chromium: drawn, silent, offline, readable by keyboard, by night and on a phone."""

from __future__ import annotations

import json
import re
import stat
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from baileys_tools.findings import Finding, Severity
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.forecast import Forecast
from baileys_tools.thresholds import Level, Thresholds
from baileys_tools.watching.rules.report import (
    CompanyReport,
    Drop,
    FleetReport,
    Point,
    ReportedIncident,
    SnapshotMark,
    Span,
    kind_curves,
    marks_for,
    points_for,
    thinned,
)
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.rules.verdict import CompanyStatus
from baileys_tools.watching.show.html.page import report_page
from tests.browser.browser import (
    assert_nothing_is_wrong,
    axe,
    column,
    complaints,
    printed,
    requested,
    show,
    sort_by,
)
from tests.browser.places import PHONE, environment, fleet
from tests.servers import Reply, answering
from tests.support import creds, run_cli

pytestmark = pytest.mark.xdist_group("browser")

PHONE_WIDTH = 390


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small fleet, written by the installed command."""
    place = fleet(tmp_path_factory.mktemp("fleet"))
    path = place / "report.html"
    run = run_cli("report", "--quiet", "--html", path, env=environment(place))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    return path


def drawn(driver: webdriver.Chrome) -> list[bool]:
    """For each chart that was drawn, whether its canvas shows anything."""
    found: list[bool] = driver.execute_script(
        "return [...document.querySelectorAll('.chart[data-drawn] canvas')].map(canvas => "
        "canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(one => one))"
    )
    return found


def wait_for_chart(driver: webdriver.Chrome) -> None:
    WebDriverWait(driver, 20).until(lambda _: any(drawn(driver)))


def focused(driver: webdriver.Chrome) -> str:
    return str(
        driver.execute_script("return document.activeElement.id || document.activeElement.textContent")
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, PHONE_WIDTH])
def test_it_is_drawn_without_a_word_a_request_or_a_fault(
    driver: webdriver.Chrome, page: Path, dark: bool, width: int
) -> None:
    show(driver, page, dark=dark, width=width)
    assert all(drawn(driver))
    assert requested(driver) == [page.as_uri()]
    assert_nothing_is_wrong(driver, width, dark=dark)


RECORD_TEXTS = """
const texts = window.texts = [], fill = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  const box = this.measureText(text);
  texts.push({ text, left: x - box.actualBoundingBoxLeft, right: x + box.actualBoundingBoxRight,
    top: y - box.actualBoundingBoxAscent, bottom: y + box.actualBoundingBoxDescent });
  fill.call(this, text, x, y);
};
dispatchEvent(new Event("resize"));
"""


def written(driver: webdriver.Chrome) -> list[dict[str, Any]]:
    """What the charts write on their canvases when they are drawn again, with the boxes of the texts."""
    driver.execute_script(RECORD_TEXTS)
    texts: list[dict[str, Any]] = WebDriverWait(driver, 20).until(
        lambda _: driver.execute_script("return window.texts")
    )
    return texts


@pytest.mark.parametrize("width", [1280, PHONE_WIDTH])
@pytest.mark.parametrize("highest", [180, 250, 4_000])
def test_the_names_of_limits_and_kinds_are_beside_the_curves_and_never_on_each_other(
    driver: webdriver.Chrome, tmp_path: Path, width: int, highest: int
) -> None:
    report = large(1)
    (company,) = report.companies
    curve = [point._replace(counted=highest) for point in company.curve]
    looks = [
        (point.at, "danger", {"session": highest, "pre-key": 31, "sender-key": 30}) for point in curve[::50]
    ]
    page = tmp_path / "report.html"
    company = company._replace(curve=curve, over=kind_curves(looks))
    page.write_text(report_page(report._replace(companies=[company])))
    show(driver, page, width=width)
    wait_for_chart(driver)
    texts = written(driver)
    rights = driver.execute_script(
        "return [...document.querySelectorAll('.u-over')].map(one => one.offsetLeft + one.offsetWidth)"
    )
    charts = (
        ["danger 185", "cleanup 175", "warning 150"],
        [f"session {highest}", "pre-key 31", "sender-key 30"],
    )
    for right, named in zip(rights, charts, strict=True):
        labels = [one for one in texts if one["text"] in named]
        assert [one["text"] for one in labels] == named, "from the top down"
        assert all(right <= one["left"] and one["right"] <= width for one in labels)
        for one, below in pairwise(labels):
            assert one["bottom"] <= below["top"], (one, below)


def test_a_picture_of_the_whole_page_has_every_chart(driver: webdriver.Chrome, page: Path) -> None:
    show(driver, page)
    assert len(driver.find_elements(By.CSS_SELECTOR, ".chart")) == 8, (
        "two each, one where a look is all there is"
    )
    assert drawn(driver) == [True] * 8, "without anybody having scrolled there"


def test_the_time_begins_with_what_is_known(driver: webdriver.Chrome, tmp_path: Path) -> None:
    report = large(1)
    (company,) = report.companies
    page = tmp_path / "report.html"
    begin = company.curve[-48].at
    company = company._replace(curve=company.curve[-48:], connections=[], incidents=[], snapshots=[])
    page.write_text(report_page(report._replace(companies=[company], host="vps7.example")))
    assert f"history since {datetime.fromtimestamp(begin, UTC):%Y-%m-%d %H:%M} UTC" in page.read_text()
    show(driver, page)
    assert driver.find_element(By.TAG_NAME, "h1").text.startswith("Session folders on vps7.example, ")
    days = {one["text"][:5] for one in written(driver) if re.match(r"\d\d-\d\d", one["text"])}
    assert days == {"01-29", "01-30", "01-31"} or days == {"01-29", "01-30"}


@pytest.mark.parametrize("width", [PHONE_WIDTH, 320])
def test_on_a_phone_every_badge_is_whole(driver: webdriver.Chrome, tmp_path: Path, width: int) -> None:
    report = large(3)
    codes = ("pre-keys-gone", "memory-without-own-key", "lid-mapping-without-twin")
    companies = [
        one._replace(
            status=one.status._replace(findings=[one.status.findings[0]._replace(code=code)], files=10_250)
        )
        for one, code in zip(report.companies, codes, strict=True)
    ]
    page = tmp_path / "report.html"
    page.write_text(report_page(report._replace(companies=companies)))
    show(driver, page, width=width)
    shown = driver.execute_script(
        "return [...document.querySelectorAll('#fleet .level, .tiles .level')].filter(one => one.offsetWidth).map("
        "one => [one.textContent, one.getClientRects().length, one.getBoundingClientRect().right,"
        " one.clientHeight / parseFloat(getComputedStyle(one).lineHeight)])"
    )
    assert {text for text, *_ in shown} >= set(codes)
    assert all(rects == 1 and right <= width and lines < 1.5 for _, rects, right, lines in shown), shown
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [320, 560, 800, 1000, 1240])
def test_between_a_phone_and_a_desk_nothing_scrolls_sideways(
    driver: webdriver.Chrome, page: Path, width: int
) -> None:
    show(driver, page, width=width)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    table = driver.find_element(By.CSS_SELECTOR, ".table")
    assert driver.execute_script("return arguments[0].scrollWidth <= arguments[0].clientWidth", table), (
        "a box that scrolls by itself cannot be reached by keyboard"
    )


def test_on_a_desk_a_badge_does_not_break_at_each_hyphen(driver: webdriver.Chrome, tmp_path: Path) -> None:
    report = large(3)
    codes = ("pre-keys-gone", "memory-without-own-key", "lid-mapping-without-twin")
    companies = []
    for one, code in zip(report.companies, codes, strict=True):
        status = one.status._replace(
            files=10_250,
            trouble="permission denied",
            connection="disconnected",
            forecast=Forecast(Level.DANGER, 186, timedelta(hours=47)),
            findings=[one.status.findings[0]._replace(code=code)],
        )
        companies.append(one._replace(status=status))
    page = tmp_path / "report.html"
    page.write_text(report_page(report._replace(companies=companies)))
    show(driver, page, width=1280)
    lines = driver.execute_script(
        "return [...document.querySelectorAll('#fleet .code:not(.p)')].map("
        "badge => Math.round(badge.clientHeight / parseFloat(getComputedStyle(badge).lineHeight)))"
    )
    assert lines == [1, 2, 2]
    table = driver.find_element(By.CSS_SELECTOR, ".table")
    assert driver.execute_script("return arguments[0].scrollWidth <= arguments[0].clientWidth", table)


def test_axe_would_find_a_fault(driver: webdriver.Chrome, page: Path) -> None:
    show(driver, page)
    driver.execute_script(
        "document.querySelector('label.find').replaceWith(document.getElementById('filter'))"
    )
    assert any("label" in fault for fault in axe(driver))


def test_the_whole_way_can_be_gone_by_keyboard(driver: webdriver.Chrome, page: Path) -> None:
    show(driver, page)
    keys = webdriver.ActionChains(driver)
    keys.send_keys(Keys.TAB).perform()
    assert focused(driver) == "To the overview"
    keys.send_keys(Keys.ENTER).send_keys(Keys.TAB).send_keys("1002").perform()
    assert focused(driver) == "filter"
    shown = [
        row.text.split()[0] for row in driver.find_elements(By.CSS_SELECTOR, "#fleet tbody tr") if row.text
    ]
    assert shown == ["1002"]
    assert driver.find_element(By.ID, "filtered").text == "1 of 5 companies"
    for _ in range(20):
        keys.send_keys(Keys.TAB).perform()
        if focused(driver) == "1002":
            break
    keys.send_keys(Keys.ENTER).perform()
    WebDriverWait(driver, 10).until(lambda _: focused(driver).endswith("-name"))
    heading = driver.switch_to.active_element
    assert heading.text.startswith("Company 1002")
    assert heading.tag_name == "h2"
    wait_for_chart(driver)


def test_the_table_sorts_by_a_column(driver: webdriver.Chrome, page: Path) -> None:
    show(driver, page)
    sort_by(driver, "Counted")
    caption = driver.find_element(By.CSS_SELECTOR, "#fleet caption").text
    assert caption == "All companies by Counted, the most first"
    counts = [int(text) for text in column(driver, 4)]
    assert counts == sorted(counts, reverse=True)
    assert (
        driver.find_element(By.CSS_SELECTOR, "#fleet th[aria-sort]").get_attribute("aria-sort")
        == "descending"
    )


def test_a_chart_is_told_in_words_and_in_numbers_too(driver: webdriver.Chrome, page: Path) -> None:
    show(driver, page)
    section = driver.find_element(By.XPATH, "//section[h2[contains(., 'Company 1002')]]")
    caption = section.find_element(By.TAG_NAME, "figcaption").text
    assert re.fullmatch(
        r"Between 60 and 1\d\d counted files since [\d-]+, now 151; 1 cleanup\. "
        r"6\.0 counted files a day: reaches 170 in 3 days \(critical\)\.",
        caption,
    )
    section.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    assert len(section.find_elements(By.CSS_SELECTOR, "details tbody tr")) >= 30
    assert "logged-out (still open)" in section.text
    assert "disconnected 9 h" in section.text


def test_names_and_logs_are_shown_as_text_and_nothing_secret_is_in_it(
    driver: webdriver.Chrome, page: Path
) -> None:
    show(driver, page)
    assert driver.find_elements(By.TAG_NAME, "img") == []
    assert '<img src=x onerror="alert(1)">' in driver.find_element(By.ID, "fleet").text
    text = page.read_text()
    assert PHONE not in text
    assert "91****85 <b>" in driver.find_element(By.ID, "companies").text
    key: Any = creds()["noiseKey"]
    assert key["private"]["data"] not in text
    assert "</script><" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_the_pages_policy_lets_no_other_script_and_no_request_through(
    driver: webdriver.Chrome, page: Path
) -> None:
    show(driver, page)
    with answering(lambda request: Reply({})) as server:
        driver.execute_script(
            "const script = document.createElement('script'); script.textContent = 'window.owned = 1';"
            "const image = document.createElement('img'); image.src = arguments[0] + '/image';"
            "document.body.append(script, image); return fetch(arguments[0] + '/data').catch(() => 0)",
            server.url,
        )
        said = "\n".join(complaints(driver))
        assert driver.execute_script("return window.owned") is None
        assert server.requests == []
    for directive in ("script-src", "img-src", "connect-src"):
        assert directive in said


def test_it_prints_with_its_charts(driver: webdriver.Chrome, page: Path) -> None:
    show(driver, page, dark=True)
    assert printed(driver) > 20_000
    assert all(drawn(driver))
    assert len(drawn(driver)) == 8


def test_on_paper_each_code_stands_whole_and_nothing_is_cut(driver: webdriver.Chrome, page: Path) -> None:
    show(driver, page, width=640)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 640
        chips = driver.find_elements(By.CSS_SELECTOR, "#fleet .level")
        shown = [chip for chip in chips if chip.is_displayed()]
        assert any("-" in chip.text for chip in shown), "the worst finding is there"
        assert all(chip.size["height"] < 30 for chip in shown), "no code in two lines"
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("width", [320, 390, 411])
def test_no_line_ends_within_an_option(driver: webdriver.Chrome, page: Path, width: int) -> None:
    show(driver, page, width=width)
    options = driver.find_elements(By.CSS_SELECTOR, ".findings .whole")
    assert {"--company", "--dry-run"} <= {option.text for option in options}
    rows = "return [...document.querySelectorAll('.findings .whole')].map(one => one.getClientRects().length)"
    assert set(driver.execute_script(rows)) == {1}
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def large(companies: int) -> FleetReport:
    """A fleet with an observation an hour for 30 days, a snapshot every 2 hours, and findings."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    since, base = now - timedelta(days=30), int((now - timedelta(days=30)).timestamp())
    kinds = {"session": 60, "pre-key": 50, "sender-key": 30, "lid-mapping": 20, "creds": 1}
    found = []
    for number in range(companies):
        curve = [Point(base + hour * 3_600, 100 + (hour * 7 + number) % 80) for hour in range(30 * 24)]
        status = CompanyStatus(
            str(1_000 + number), f"/srv/sessions/company_{1_000 + number}", Level.CRITICAL, 172, 0, kinds,
            CredsState.VALID,
            "connected", now, None, now, 7.0, None,
            [Finding("file-count", Severity.CRITICAL, "", "172 counted files, level critical (limit 170)", "x" * 80)],
        )  # fmt: skip
        found.append(
            CompanyReport(
                status,
                thinned(curve, points_for(companies)),
                [Drop(point.at, 79, True) for point in curve[::80]],
                [Span(base + day * 86_400, base + (day + 1) * 86_400, "connected") for day in range(30)][
                    -marks_for(companies) :
                ],
                [ReportedIncident(base, base + 600, "network", [(base, "lost", "connection closed")])],
                [SnapshotMark(point.at, 90_000, False) for point in curve[::2]][-marks_for(companies) :],
                kinds,
            )
        )
    fleet_status = FleetStatus("/srv/sessions", now, Thresholds(), [one.status for one in found])
    return FleetReport(fleet_status, since, found)


def ready_after(driver: webdriver.Chrome, path: Path) -> int:
    """Show a page and return the milliseconds after which it says that it is ready."""
    show(driver, path)
    return int(driver.execute_script("return document.documentElement.dataset.ready"))


def test_a_thousand_companies_are_under_three_megabytes_and_ready_in_three_seconds(
    driver: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "large.html"
    path.write_text(report_page(large(1_000)), encoding="utf-8")
    assert path.stat().st_size < 3_000_000
    assert min(ready_after(driver, path) for _ in range(3)) < 3_000, "at the quietest moment of the machine"
    assert len(driver.find_elements(By.CSS_SELECTOR, "#fleet tbody tr")) == 1_000
    assert driver.find_elements(By.CSS_SELECTOR, "section.company") == []
    assert complaints(driver) == []
    for number in (500, 700):
        driver.execute_script(f"location.hash = '#company-{number}'")
        wait_for_chart(driver)
        (section,) = driver.find_elements(By.CSS_SELECTOR, "section.company")
        assert section.text.startswith(f"Company {1_000 + number}")


def test_every_point_that_is_packed_is_unpacked(driver: webdriver.Chrome, tmp_path: Path) -> None:
    report = large(1)
    path = tmp_path / "one.html"
    path.write_text(report_page(report), encoding="utf-8")
    data = json.loads(re.search(r'id="report-data">(.*?)</script>', path.read_text(), re.DOTALL)[1])  # type: ignore[index]
    minutes, at = data["companies"][0]["curve"], data["base"]
    unpacked = []
    for index in range(0, len(minutes), 2):
        at += minutes[index] * 60
        unpacked.append(Point(at, minutes[index + 1]))
    assert unpacked == list(report.companies[0].curve)
