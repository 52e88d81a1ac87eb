(function () {
  "use strict";
  let data = JSON.parse(document.getElementById("report-data").textContent);
  // In a file that is sent around, times are UTC; the live page has no table of its own here, and times of the reader's zone.
  const table = document.getElementById("fleet"), local = table === null;
  const ZONE = local ? "" : " UTC";
  const MANY = 12; // more than that are drawn one at a time, when they are asked for
  const many = data.companies.length > MANY;
  const place = document.getElementById("companies");
  const charts = new Map();
  const STRIP = 600;

  // --- small pieces: text only ever goes in as text ---------------------------------------------------------
  function make(tag, attributes, ...children) {
    const svg = ["svg", "rect", "line", "circle", "polyline", "text", "title"].includes(tag);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    for (const child of children) if (child !== null) node.append(child);
    return node;
  }
  // A hyphen ends no line inside a command's option, or somebody types it in two.
  const unbroken = (text) => text.split(/(\S*-\S*)/).map((word, at) => at % 2 && word.length < 32 ? make("span", { class: "whole" }, word) : word);
  const two = (number) => String(number).padStart(2, "0");
  // The time of day there, as the getters for UTC tell it.
  function there(seconds) {
    const at = new Date(seconds * 1000);
    return local ? new Date(at - 60000 * at.getTimezoneOffset()) : at;
  }
  function day(seconds) {
    const at = there(seconds);
    return at.getUTCFullYear() + "-" + two(at.getUTCMonth() + 1) + "-" + two(at.getUTCDate());
  }
  function time(seconds) {
    const at = there(seconds);
    return day(seconds) + " " + two(at.getUTCHours()) + ":" + two(at.getUTCMinutes());
  }
  function lasted(seconds) {
    if (seconds < 5400) return Math.max(1, Math.round(seconds / 60)) + " min";
    if (seconds < 172800) return Math.round(seconds / 3600) + " h";
    return Math.round(seconds / 86400) + " days";
  }
  const size = (bytes) => (bytes < 1e6 ? (bytes / 1e3).toFixed(1) + " kB" : (bytes / 1e6).toFixed(1) + " MB");
  const plural = (number, noun) => number.toLocaleString("en") + " " + noun + (number === 1 ? "" : "s");
  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(); }

  // --- the curve of counted files ----------------------------------------------------------------------------
  function curveOf(company) {
    const times = [], counts = [];
    let at = data.base;
    for (let i = 0; i < company.curve.length; i += 2) {
      at += company.curve[i] * 60;
      times.push(at);
      counts.push(company.curve[i + 1]);
    }
    return [times, counts];
  }
  // The kinds, the times, and the counts of each kind.
  function overOf(company) {
    let at = data.base;
    return [company.over[0], company.over[1].map((minutes) => (at += minutes * 60)), ...company.over.slice(2)];
  }
  // A company's time begins with the first that is known of it: days without any would be an empty half.
  const begin = (company) => Math.max(data.since, Math.min(company.begin, data.now - 3600));
  const LETTERS = "11px system-ui, sans-serif", LINE = 13;
  const ruler = document.createElement("canvas").getContext("2d");
  function widest(texts) {
    ruler.font = LETTERS;
    return Math.ceil(Math.max(...texts.map((text) => ruler.measureText(text).width))) + 10;
  }
  // Names beside the plot, each as near to its height as the others leave it, from [text, height, colour].
  function names(plot, wanted) {
    const ctx = plot.ctx, area = plot.bbox, ratio = devicePixelRatio;
    ctx.font = LETTERS.replace("11px", 11 * ratio + "px");
    ctx.textAlign = "left"; ctx.textBaseline = "middle";
    const rows = [...wanted].sort((one, other) => one[1] - other[1]);
    let least = area.top + (LINE / 2) * ratio;
    const heights = rows.map(([, height]) => (least = Math.max(height, least) + LINE * ratio) - LINE * ratio);
    let most = area.top + area.height;
    for (let i = heights.length - 1; i >= 0; i--) { heights[i] = Math.min(heights[i], most); most = heights[i] - LINE * ratio; }
    rows.forEach(([text, , paint], i) => { ctx.fillStyle = paint; ctx.fillText(text, area.left + area.width + 6 * ratio, heights[i]); });
  }
  function plotted(box, company, palette, width, own) {
    const isShort = data.now - begin(company) < 3 * 86400;
    const days = (plot, splits) => splits.map((at) => (isShort ? time(at).slice(5) : day(at).slice(5)));
    const axis = { stroke: palette.text, grid: { stroke: palette.grid, width: 1 }, ticks: { stroke: palette.grid, width: 1 } };
    return new uPlot({
      width: width || Math.max(200, box.clientWidth), height: 224, padding: [8, widest(own.labels), 0, 0],
      tzDate: (seconds) => (local ? new Date(seconds * 1000) : uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC")),
      scales: { x: { time: true, range: () => [begin(company), data.now] }, y: { range: () => [0, own.highest * 1.12] } },
      axes: [Object.assign({ values: days, space: isShort ? 84 : 50 }, axis), Object.assign({ size: 44 }, axis)],
      cursor: { drag: { x: false, y: false } },
      legend: { show: own.legend, live: true },
      series: [{ label: local ? "Time" : "Time (UTC)", value: (plot, value) => (value === null ? "-" : time(value)) }, ...own.series],
      hooks: { draw: [own.marks] },
    }, own.values, box);
  }
  function draw(box, company, palette, width) {
    return box.dataset.shows === "kinds" ? drawKinds(box, company, palette, width) : drawCounted(box, company, palette, width);
  }
  function drawKinds(box, company, palette, width) {
    const [kinds, times, ...counts] = overOf(company);
    const paint = (i) => palette.kinds[i % palette.kinds.length];
    const labels = kinds.map((kind, i) => kind + " " + counts[i][counts[i].length - 1]);
    return plotted(box, company, palette, width, {
      values: [times, ...counts], labels, legend: false, highest: Math.max(1, ...counts.flat()),
      series: kinds.map((kind, i) => ({ label: kind, stroke: paint(i), width: 2, dash: [[], [6, 3], [2, 2]][i % 3], points: { show: times.length < 3 } })),
      marks: (plot) => {
        plot.ctx.save();
        names(plot, labels.map((text, i) => [text, plot.valToPos(counts[i][counts[i].length - 1], "y", true), paint(i)]));
        plot.ctx.restore();
      },
    });
  }
  function drawCounted(box, company, palette, width) {
    const values = curveOf(company);
    const highest = Math.max(...values[1], data.thresholds.danger);
    const limits = [["warning", data.thresholds.warning], ["cleanup", data.thresholds.trigger], ["danger", data.thresholds.danger]];
    const labels = limits.map(([name, limit]) => name + " " + limit);
    function marks(plot) {
      const ctx = plot.ctx, area = plot.bbox, ratio = devicePixelRatio;
      ctx.save();
      ctx.lineWidth = ratio;
      ctx.setLineDash([5 * ratio, 4 * ratio]);
      ctx.strokeStyle = ctx.fillStyle = palette.limit;
      const heights = limits.map(([, limit]) => Math.round(plot.valToPos(limit, "y", true)));
      for (const y of heights) {
        ctx.beginPath(); ctx.moveTo(area.left, y); ctx.lineTo(area.left + area.width, y); ctx.stroke();
      }
      names(plot, labels.map((text, i) => [text, heights[i], palette.limit]).reverse());
      ctx.strokeStyle = ctx.fillStyle = palette.drop;
      ctx.setLineDash([2 * ratio, 2 * ratio]);
      for (const drop of company.drops) {
        const x = Math.round(plot.valToPos(drop[0], "x", true));
        if (x < area.left || x > area.left + area.width) continue;
        ctx.beginPath(); ctx.moveTo(x, area.top); ctx.lineTo(x, area.top + area.height); ctx.stroke();
        ctx.beginPath(); ctx.moveTo(x - 4 * ratio, area.top); ctx.lineTo(x + 4 * ratio, area.top);
        ctx.lineTo(x, area.top + 7 * ratio); ctx.fill();
      }
      ctx.restore();
    }
    return plotted(box, company, palette, width, {
      values, labels, legend: true, highest, marks,
      series: [{ label: "Counted files", stroke: palette.curve, fill: palette.fill, width: 2, points: { show: values[0].length < 3 } }],
    });
  }
  function palette(print) {
    const names = ["curve", "fill", "grid", "drop", "limit", "text"];
    const paper = { curve: "#0b57c2", fill: "rgba(11,87,194,0.12)", grid: "#e3e6eb", drop: "#6b21a8", limit: "#b45309", text: "#000000" };
    const inks = ["#0b57c2", "#b45309", "#15803d", "#6b21a8", "#b91c1c", "#0f766e", "#565d6b"];
    if (print) return Object.assign(paper, { kinds: inks });
    const found = Object.fromEntries(names.map((name) => [name, colour(name)]));
    return Object.assign(found, { kinds: inks.map((ink, i) => colour("kind-" + i)) });
  }
  const PAPER = 660; // CSS pixels, what A4 and Letter have between their margins
  function redraw(print) {
    for (const [box, known] of charts) {
      known.plot.destroy();
      known.plot = draw(box, known.company, palette(print), print ? PAPER : 0);
    }
  }
  // All at once, and not as they come into sight: a picture of the whole page, or a sheet of paper, has no sight.
  function drawAll(section, company) {
    for (const box of section.querySelectorAll(".chart")) {
      charts.set(box, { company, plot: draw(box, company, palette(false)) });
      box.dataset.drawn = "yes";
    }
  }
  function forget() {
    for (const known of charts.values()) known.plot.destroy();
    charts.clear();
    place.replaceChildren();
  }
  addEventListener("resize", () => {
    for (const [box, known] of charts) known.plot.setSize({ width: Math.max(200, box.clientWidth), height: 224 });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw(false));
  addEventListener("beforeprint", () => redraw(true));
  addEventListener("afterprint", () => redraw(false));

  // --- a company ---------------------------------------------------------------------------------------------
  function facts(company) {
    const list = make("dl", { class: "facts" });
    for (const [name, value] of company.facts) list.append(make("div", {}, make("dt", {}, data.texts[name]), make("dd", {}, data.texts[value])));
    return list;
  }
  function findings(company) {
    if (!company.findings.length) return make("p", { class: "soft" }, "Nothing found.");
    const list = make("ul", { class: "findings" });
    for (const [severity, code, message, action] of company.findings) {
      list.append(make("li", {},
        make("span", { class: "level " + severity }, severity), " " + data.texts[message] + " ",
        make("code", { class: "soft" }, code), make("br"), "What to do: ", ...unbroken(data.texts[action])));
    }
    return list;
  }
  function summary(company, values) {
    if (!values[0].length) return "No history yet: monitor-once keeps it.";
    const counts = values[1];
    const low = Math.min(...counts), high = Math.max(...counts);
    const cleaned = company.drops.filter((drop) => drop[2]).length, others = company.drops.length - cleaned;
    return "Between " + low + " and " + high + " counted files since " + day(values[0][0]) + ", now " + counts[counts.length - 1] +
      "; " + plural(cleaned, "cleanup") + (others ? ", " + plural(others, "other drop") : "") + ". " + company.growth + ".";
  }
  function curve(company, index, name) {
    const values = curveOf(company);
    const box = make("div", { class: "chart", "aria-hidden": "true" });
    const figure = make("figure", { "aria-labelledby": name + "-curve" },
      make("figcaption", { id: name + "-curve" }, summary(company, values)), values[0].length ? box : null);
    return figure;
  }
  function numbers(company) {
    const values = curveOf(company), days = new Map();
    values[0].forEach((at, i) => {
      const known = days.get(day(at)) || [Infinity, 0, 0];
      days.set(day(at), [Math.min(known[0], values[1][i]), Math.max(known[1], values[1][i]), values[1][i]]);
    });
    const body = make("tbody");
    for (const [date, [low, high, last]] of days) {
      body.append(make("tr", {}, make("th", { scope: "row" }, date), ...[low, high, last].map((one) => make("td", { class: "n" }, String(one)))));
    }
    const head = make("thead", {}, make("tr", {}, make("th", { scope: "col" }, local ? "Day" : "Day (UTC)"),
      ...["Lowest", "Highest", "Last"].map((one) => make("th", { scope: "col", class: "n" }, one))));
    return make("details", {}, make("summary", {}, "The numbers by day"), make("table", {}, make("caption", {}, "Counted files"), head, body));
  }
  function kindsOver(company, name) {
    const [kinds, times, ...counts] = overOf(company);
    if (times.length < 2) return null;
    const words = kinds.map((kind, i) => kind + " " + Math.min(...counts[i]) + " to " + Math.max(...counts[i]));
    return make("figure", { "aria-labelledby": name + "-kinds" },
      make("figcaption", { id: name + "-kinds" }, "Files by kind since " + day(times[0]) + ": " + words.join(", ") + "."),
      make("div", { class: "chart", "data-shows": "kinds", "aria-hidden": "true" }));
  }
  function kinds(company) {
    const most = Math.max(1, ...company.kinds.map((one) => one[1]));
    const body = make("tbody");
    for (const [kind, count, before] of company.kinds) {
      const change = before === null ? "" : count === before ? "\u00b10" : (count > before ? "+" : "\u2212") + Math.abs(count - before);
      const bar = make("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
        make("rect", { class: "bar-box", width: 100, height: 8 }), make("rect", { width: (100 * count) / most, height: 8 }));
      body.append(make("tr", {}, make("th", { scope: "row" }, kind), make("td", { class: "n" }, String(count)),
        make("td", { class: "n" }, change), make("td", {}, bar)));
    }
    const head = make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Kind"), make("th", { scope: "col", class: "n" }, "Files"),
      make("th", { scope: "col", class: "n" }, "Change"), make("td", { "aria-hidden": "true" })));
    return make("table", { class: "bars" }, make("caption", {}, "Files by kind, and their change since the beginning of this report"), head, body);
  }
  const COLOURS = { connected: "ok", disconnected: "worst", connecting: "limit", unknown: "unknown" };
  function strip(company) {
    const x = (at) => Math.max(0, Math.min(STRIP, (STRIP * (at - begin(company))) / (data.now - begin(company))));
    const svg = make("svg", { class: "strip", viewBox: "0 0 " + STRIP + " 54", preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(make("rect", { x: 0, y: 4, width: STRIP, height: 14, class: "bar-box" }));
    const connections = company.connections.map(([start, length, state]) => [data.base + 60 * start, data.base + 60 * (start + length), state]);
    for (const [since, until, state] of connections) {
      const bar = make("rect", { x: x(since), y: 4, width: Math.max(1, x(until) - x(since)), height: 14 }, make("title", {}, state + " " + time(since)));
      bar.style.fill = "var(--" + (COLOURS[state] || "unknown") + ")";
      svg.append(bar);
    }
    for (const incident of company.incidents) {
      const end = incident.closed === null ? data.now : incident.closed;
      const bar = make("rect", { x: x(incident.opened), y: 22, width: Math.max(2, x(end) - x(incident.opened)), height: 10 }, make("title", {}, incident.cause));
      bar.style.fill = "var(--worst)";
      svg.append(bar);
    }
    for (const [minutes, paint] of [[company.snapshots, "var(--curve)"], [company.damaged, "var(--worst)"]]) {
      for (const minute of minutes) {
        const tick = make("rect", { x: x(data.base + 60 * minute), y: 38, width: 1.5, height: 12 });
        tick.style.fill = paint;
        svg.append(tick);
      }
    }
    const shares = new Map();
    for (const [since, until, state] of connections) shares.set(state, (shares.get(state) || 0) + until - Math.max(since, data.since));
    const words = [...shares].map(([state, seconds]) => state + " " + lasted(seconds)).join(", ");
    const text = "Top to bottom: connection (" + (words || "nobody asked the bot") + "), " + plural(company.incidents.length, "incident") + ", " +
      plural(company.snapshots.length, "good snapshot") + (company.damaged.length ? ", " + company.damaged.length + " damaged" : "") + ".";
    return make("figure", {}, make("figcaption", {}, text), svg);
  }
  function incidents(company) {
    if (!company.incidents.length) return null;
    const list = make("ul", { class: "findings" });
    for (const one of company.incidents) {
      const head = time(one.opened) + ZONE + ": " + one.cause + " (" + (one.closed === null ? "still open" : "lasted " + lasted(one.closed - one.opened)) + ")";
      const item = make("li", {}, head);
      for (const [at, what, detail] of one.entries) item.append(make("br"), make("span", { class: "soft" }, time(at) + " " + what + " " + detail));
      list.append(item);
    }
    return make("div", {}, make("h3", {}, "Incidents"), list);
  }
  function section(index) {
    const company = data.companies[index], name = "company-" + index;
    const last = company.snapshots[company.snapshots.length - 1];
    return make("section", { class: "company", id: name, "aria-labelledby": name + "-name" },
      make("h2", { id: name + "-name", tabindex: "-1" }, "Company " + company.id + " ", make("span", { class: "level " + company.state }, company.state)),
      make("p", { class: "back" }, make("a", { href: "#overview" }, "Back to the overview")),
      local ? null : facts(company),
      make("h3", {}, "Findings and what to do"), findings(company),
      make("h3", {}, "Counted files"), curve(company, index, name), numbers(company),
      make("h3", {}, "By kind"), kindsOver(company, name), kinds(company),
      make("h3", {}, "Connection, incidents and snapshots"), strip(company),
      last !== undefined ? make("p", { class: "soft" }, "Newest good snapshot " + time(data.base + 60 * last) + ZONE + ", " + size(company.newest) + ".") : null,
      incidents(company));
  }
  function show(index) {
    let found = document.getElementById("company-" + index);
    if (!found) {
      if (many) {
        forget();
      }
      found = section(index);
      place.append(found);
      drawAll(found, data.companies[index]);
    }
    return found;
  }
  function follow() {
    const found = /^#company-(\d+)$/.exec(location.hash);
    if (!found || !(Number(found[1]) < data.companies.length)) return;
    const target = show(Number(found[1]));
    target.scrollIntoView();
    document.getElementById(target.id + "-name").focus();
  }
  if (many) place.append(make("p", { class: "soft" }, "Choose a company in the table to see all of it here."));
  else data.companies.forEach((one, index) => show(index));
  addEventListener("hashchange", follow);
  follow();

  // --- the live page says when something has changed -----------------------------------------------------------
  document.addEventListener("report-data", (event) => {
    data = event.detail;
    forget();
    data.companies.forEach((one, index) => show(index));
  });

  // --- the table ---------------------------------------------------------------------------------------------
  if (table === null) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const field = document.getElementById("filter"), told = document.getElementById("filtered");
  field.closest(".find").hidden = rows.length < 2;
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    let left = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      left += row.hidden ? 0 : 1;
    }
    told.textContent = wanted ? left + " of " + rows.length + " companies" : "";
  });
  const worst = ["the worst first", "the best first"], ago = ["the longest ago first", "the latest first"];
  const ORDERS = {
    State: worst, "Worst finding": worst, Active: ago, Cleaned: ago, Snapshot: ago, "Next level": ["the farthest first", "the nearest first"],
  };
  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = head.querySelector("button");
    if (!button) continue;
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
      const order = (one, other) => {
        const a = key(one), b = key(other), numbers = a !== "" && b !== "" && !isNaN(a) && !isNaN(b);
        return numbers ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0;
      };
      const isText = rows.some((row) => isNaN(key(row)));
      const words = ORDERS[button.textContent] || (isText ? ["Z to A", "A to Z"] : ["the most first", "the fewest first"]);
      table.caption.textContent = "All companies by " + button.textContent + ", " + words[down ? 0 : 1];
      rows.sort((one, other) => (down ? -1 : 1) * order(one, other));
      body.append(...rows);
    });
  }
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
