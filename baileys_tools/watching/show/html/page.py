"""The report as one HTML page that needs nothing but itself: no request, no script that is not in it.

Everything that came from a folder's name, a log or a person goes through `escape` or is JSON that the page shows as
text alone. The policy in the page lets a browser run these very scripts, by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from baileys_tools import __version__
from baileys_tools.cleanup.show.undo_text import paid_of
from baileys_tools.frame.show.json_text import shown_text
from baileys_tools.units import counted, format_age
from baileys_tools.watching.rules.report import CompanyReport, FleetReport, Point, thinned
from baileys_tools.watching.rules.verdict import CompanyStatus
from baileys_tools.watching.show.html.head import FOLDER, as_script, head
from baileys_tools.watching.show.status_text import growth_text

_SPARK_POINTS = 28


def report_page(report: FleetReport) -> str:
    status = report.status
    scripts = [_file("uPlot.iife.min.js"), _file("report.js")]
    style = _file("uPlot.min.css") + _file("report.css")
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts))}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    on = f" on {shown_text(report.host)}" if report.host else ""
    title = f"Session folders{on}, {_minute(status.now)} UTC"
    return "\n".join(
        [
            # The policy before all that it is about.
            head(
                title,
                f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
                '<meta name="referrer" content="no-referrer">',
                f"<style>{style}</style>",
            ),
            "<body>",
            '<a class="skip" href="#overview">To the overview</a>',
            f"<header><h1>{escape(title)}</h1>{_subtitle(report)}</header>",
            "<main>",
            *_overview(report),
            '<div id="companies"></div>',
            "<noscript><p>The curves and the details need JavaScript; the table does not.</p></noscript>",
            "</main>",
            f"<footer><p>baileys-tools {escape(__version__)}. Times are UTC. Phone numbers are masked.</p></footer>",
            f'<script type="application/json" id="report-data">{as_script(report_data(report))}</script>',
            *(f"<script>{script}</script>" for script in scripts),
            "</body>",
            "</html>",
        ]
    )


def _file(name: str) -> str:
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def _html(text: str) -> str:
    return escape(shown_text(text))


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


# --- what is there without a script -------------------------------------------------------------------------


def _subtitle(report: FleetReport) -> str:
    status = report.status
    text = (
        f"{counted(len(status.companies), 'company', 'companies')} in {shown_text(status.root)}, history since "
        f"{_minute(datetime.fromtimestamp(report.begin, UTC))} UTC"
    )
    trouble = (
        f'<p class="trouble">History is not known: {_html(status.trouble)}</p>' if status.trouble else ""
    )
    return f'<p class="soft">{escape(text)}</p>{trouble}'


_HEADS = (
    ("Company", "", True),
    ("State", "", True),
    ("Worst finding", "m f", True),
    ("Counted", "n", True),
    ("Files", "n m", True),
    ("Lately", "w", False),
    ("creds.json", "m", True),
    ("Connection", "w", True),
    ("Active", "n w", True),
    ("Cleaned", "n w", True),
    ("Snapshot", "n w", True),
    ("Next level", "m", True),
)


def _overview(report: FleetReport) -> Iterator[str]:
    status = report.status
    yield '<section id="overview" aria-labelledby="overview-name" tabindex="-1">'
    yield '<h2 id="overview-name">Overview</h2>'
    yield '<ul class="tiles">'
    for state, number in status.states.items():
        yield f'<li><b>{number:,}</b><span class="level {state.value}">{state.value}</span></li>'
    yield "</ul>"
    yield (
        '<label class="find">Show only companies with <input id="filter" type="search" autocomplete="off"></label>'
        '<p id="filtered" class="soft" role="status"></p>'
    )
    yield '<div class="table"><table id="fleet"><caption>All companies, the worst first</caption><thead><tr>'
    for title, kind, sorts in _HEADS:
        inner = f'<button type="button">{title}</button>' if sorts else title
        yield f'<th scope="col" class="{kind}">{inner}</th>' if kind else f'<th scope="col">{inner}</th>'
    yield "</tr></thead><tbody>"
    begin = report.begin  # looked for among all companies, so not anew for each
    for index, company in enumerate(report.companies):
        yield _row(index, company, begin, status.now)
    yield "</tbody></table></div></section>"


def _row(index: int, company: CompanyReport, begin: int, now: datetime) -> str:
    one = company.status
    state = one.state.value
    rank = one.state.rank
    name = _html(one.id)
    cells = [
        f'<th scope="row"><a href="#company-{index}">{name}</a></th>',
        # On a phone there is no room for a column of codes: below the state each stands whole.
        f'<td data-sort="{rank}"><span class="level {state}">{state}</span>{_finding_chip(one, "p ")}</td>',
        _finding_cell(one),
        _cell(f"{one.counted:,}", "n", str(one.counted)),
        _cell(f"{one.files:,}", "n m", str(one.files)),
        f'<td class="w">{_spark(company.curve, begin, now)}</td>',
        _cell(escape(one.creds_shown), "m", one.creds_shown),
        _cell(escape(one.connection) or "-", "w", one.connection),
        _age_cell(one.last_activity, now),
        _age_cell(one.cleaned.at if one.cleaned else None, now),
        _age_cell(one.last_snapshot, now),
        _next_cell(one),
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _finding_cell(one: CompanyStatus) -> str:
    if not one.findings:
        return '<td class="m f" data-sort="-1">-</td>'
    worst = one.verdict.reason or one.findings[0]
    return f'<td class="m f" data-sort="{worst.severity.rank}">{_finding_chip(one)}</td>'


def _finding_chip(one: CompanyStatus, kind: str = "") -> str:
    if not one.findings:
        return ""
    worst = one.verdict.reason or one.findings[0]
    return f'<span class="{kind}level code {worst.severity.value}">{escape(worst.code)}</span>'


def _cell(text: str, kind: str, sort: str) -> str:
    """A cell; one that sorts by what it shows need not say it twice, a thousand times."""
    by = "" if sort == text else f' data-sort="{escape(sort)}"'
    return f'<td class="{kind}"{by}>{text}</td>'


def _age_cell(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return _cell("-", "n w", "")
    return _cell(format_age(now - moment), "n w", str(int((now - moment).total_seconds())))


def _next_cell(one: CompanyStatus) -> str:
    if one.forecast is None:
        return _cell("-", "m", "")
    text = one.forecast.words.removeprefix("reaches ")
    return _cell(escape(text), "m", str(int(one.forecast.within.total_seconds())))


def _spark(curve: Sequence[Point], start: int, now: datetime) -> str:
    if len(curve) < 2:
        return ""
    points = thinned(curve, _SPARK_POINTS)
    length = max(1.0, now.timestamp() - start)
    top = max(point.counted for point in points) or 1
    places = " ".join(
        f"{max(0.0, 100 * (point.at - start) / length):.0f},{20 - 19 * point.counted / top:.0f}"
        for point in points
    )
    return (
        '<svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">'
        f'<polyline points="{places}"/></svg>'
    )


# --- what the script draws ----------------------------------------------------------------------------------


def report_data(report: FleetReport) -> dict[str, Any]:
    """Given a report, return what its script draws, as JSON has it; texts are safe to show as text."""
    levels = report.status.thresholds
    base = int(report.since.timestamp())
    texts = _Texts()
    return {
        "now": int(report.status.now.timestamp()),
        "since": base,
        "base": base,
        "thresholds": {"warning": levels.warning, "trigger": levels.trigger, "danger": levels.danger},
        "companies": [_company(company, base, report.status.now, texts) for company in report.companies],
        "texts": list(texts.known),
    }


class _Texts:
    """Texts that many companies share, each once; the companies have their numbers."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.known.setdefault(shown_text(text), len(self.known))


def _company(company: CompanyReport, base: int, now: datetime, texts: _Texts) -> dict[str, Any]:
    one = company.status
    return {
        "id": shown_text(one.id),
        "state": one.state.value,
        "begin": base if company.begin is None else company.begin,
        "facts": [[texts.number(name), texts.number(value)] for name, value in _facts(company, now)],
        "growth": _growth(one),
        "findings": [
            [
                finding.severity.value,
                finding.code,
                texts.number(finding.message),
                texts.number(finding.action),
            ]
            for finding in one.findings
        ],
        "curve": _packed(company.curve, base),
        "over": [
            list(company.over.kinds),
            _minutes(company.over.times, base),
            *map(list, company.over.counts),
        ],
        "drops": [[drop.at, drop.files, int(drop.cleaned)] for drop in company.drops],
        "kinds": [
            [kind, count, company.kinds_before.get(kind, 0) if company.kinds_before else None]
            for kind, count in sorted(one.by_kind.items(), key=lambda item: -item[1])
        ],
        "connections": [
            [(span.since - base) // 60, (span.until - span.since) // 60, span.state]
            for span in company.connections
        ],
        "incidents": [
            {
                "opened": incident.opened,
                "closed": incident.closed,
                "cause": shown_text(incident.cause),
                "entries": [
                    [at, shown_text(what), shown_text(detail)] for at, what, detail in incident.entries
                ],
            }
            for incident in company.incidents
        ],
        "snapshots": [(mark.at - base) // 60 for mark in company.snapshots if not mark.damaged],
        "damaged": [(mark.at - base) // 60 for mark in company.snapshots if mark.damaged],
        "newest": company.snapshots[-1].size if company.snapshots else 0,
    }


def _growth(one: CompanyStatus) -> str:
    text = growth_text(one)
    return "Growth " + text if text.startswith(("not", "none")) else text[0].upper() + text[1:]


def _packed(curve: Sequence[Point], base: int) -> list[int]:
    """Minutes since the point before, counted files, and so on: a third of the size of plain times."""
    packed, last = [], 0
    for point in curve:
        minute = (point.at - base) // 60
        packed += [minute - last, point.counted]
        last = minute
    return packed


def _minutes(times: Sequence[int], base: int) -> list[int]:
    """Minutes since the one before."""
    found, last = [], 0
    for at in times:
        found.append((at - base) // 60 - last)
        last = (at - base) // 60
    return found


def _facts(company: CompanyReport, now: datetime) -> Iterator[tuple[str, str]]:
    one = company.status
    if one.trouble:
        yield "Trouble", one.trouble
    guarded = f", {counted(one.guarded, 'guarded pre-key')} left out" if one.guarded else ""
    yield "Files", f"{one.files:,}, of which {one.counted:,} count{guarded}"
    yield "creds.json", one.creds_shown
    if one.connection:
        yield "Connection", one.connection
    yield "Last activity", _ago(one.last_activity, now)
    removed = f", {one.cleaned.words}" if one.cleaned else ""
    yield "Last cleanup", _ago(one.cleaned.at if one.cleaned else None, now) + removed
    if company.late is not None:
        yield "Its cost", paid_of(*company.late)
    yield "Last good snapshot", _ago(one.last_snapshot, now)
    yield "Growth", growth_text(one)


def _ago(moment: datetime | None, now: datetime) -> str:
    return "not known" if moment is None else f"{format_age(now - moment)} ago, {_minute(moment)}"
