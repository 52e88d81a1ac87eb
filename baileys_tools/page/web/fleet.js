// The table of all companies: page/show/rows.py has what is where in a row.
"use strict";
(function () {
  const { make, unbroken, age } = Live;
  const KEY = 0, NAME = 1, STATE = 2, CODE = 3, SEVERITY = 4, WHY = 5, COUNTED = 6, LEVEL = 7, CREDS = 8, CONNECTION = 9,
    ACTIVE = 10, INBOUND = 11, SNAPSHOT = 12, NEXT = 13, SILENCED = 14, BADNESS = 15;
  const STATES = ["gone", "unreadable", "emergency", "critical", "warning", "healthy"];
  const table = document.getElementById("fleet"), body = table.tBodies[0], caption = table.caption;
  const filter = document.getElementById("filter"), problems = document.getElementById("problems");
  const told = document.getElementById("filtered"), tiles = document.getElementById("tiles");
  const words = new Intl.Collator(undefined, { numeric: true });
  const rows = new Map(), nodes = new Map();
  let order = null; // [column, downwards], null: the worst first

  function cell(kind, ...children) {
    return make("td", kind ? { class: kind } : {}, ...children);
  }
  function draw(row) {
    const link = make("a", { href: "/company/" + encodeURIComponent(row[KEY]) }, make("bdi", {}, row[NAME]));
    const node = make("tr", {},
      make("th", { scope: "row" }, link, row[SILENCED] ? make("span", { class: "soft", title: "Alerts are silenced" }, " (silenced)") : null),
      cell("", make("span", { class: "level " + row[STATE] }, row[STATE])),
      row[CODE] ? cell("why", make("span", { class: "code" }, row[CODE]), make("br"), make("bdi", { class: "soft" }, row[WHY])) : cell("why", "-"),
      cell("n", row[COUNTED].toLocaleString(), row[LEVEL] === "healthy" ? null : make("span", { class: "soft" }, " " + row[LEVEL])),
      cell("m", row[CREDS]), cell("m", row[CONNECTION] || "-"), cell("n m", age(row[ACTIVE])), cell("n w", age(row[INBOUND])),
      cell("n m", age(row[SNAPSHOT])), cell("w", row[NEXT] || "-"));
    node.dataset.key = row[KEY];
    return node;
  }
  const COLUMNS = [NAME, STATE, CODE, COUNTED, CREDS, CONNECTION, ACTIVE, INBOUND, SNAPSHOT, NEXT];
  function compare(one, other) {
    if (order !== null) {
      const column = COLUMNS[order[0]];
      const [a, b] = [one[column], other[column]];
      let way;
      if (column === STATE) way = STATES.indexOf(b) - STATES.indexOf(a);
      else if (typeof a === "number" || typeof b === "number") way = (a ?? -1) - (b ?? -1);
      else way = words.compare(a, b);
      if (way) return order[1] ? -way : way;
    }
    return other[BADNESS] - one[BADNESS] || words.compare(one[NAME], other[NAME]);
  }
  function wanted(row) {
    if (problems.checked && row[STATE] === "healthy") return false;
    const text = filter.value.trim().toLowerCase();
    return !text || (row[NAME] + " " + row[STATE] + " " + row[CODE] + " " + row[WHY] + " " + row[CONNECTION]).toLowerCase().includes(text);
  }
  function choose() {
    let shown = 0;
    for (const [key, node] of nodes) {
      node.hidden = !wanted(rows.get(key));
      shown += node.hidden ? 0 : 1;
    }
    told.textContent = shown === rows.size ? "" : shown + " of " + rows.size + " companies";
  }
  function arrange() {
    const focused = document.activeElement && body.contains(document.activeElement) ? document.activeElement : null;
    const sorted = [...rows.values()].sort(compare).map((row) => nodes.get(row[KEY]));
    // Rows that stand where they belong are left alone: a reader, or a finger, may be on one.
    let at = body.firstChild;
    for (const node of sorted) {
      if (node === at) at = at.nextSibling;
      else body.insertBefore(node, at);
    }
    if (focused && document.activeElement !== focused) focused.focus({ preventScroll: true });
    choose();
    count();
  }
  function count() {
    const found = new Map();
    for (const row of rows.values()) found.set(row[STATE], (found.get(row[STATE]) || 0) + 1);
    tiles.replaceChildren(...STATES.filter((state) => found.has(state)).map((state) =>
      make("li", {}, make("b", {}, found.get(state).toLocaleString()), make("span", { class: "level " + state }, state))));
    const worst = (found.get("gone") || 0) + (found.get("unreadable") || 0) + (found.get("emergency") || 0) + (found.get("critical") || 0);
    document.title = (worst ? "(" + worst + ") " : "") + "Sessions";
  }
  function put(row) {
    const before = nodes.get(row[KEY]), node = draw(row);
    if (before) {
      const had = before.contains(document.activeElement);
      before.replaceWith(node);
      if (had) node.querySelector("a").focus({ preventScroll: true });
      node.classList.add("changed");
    } else body.append(node);
    nodes.set(row[KEY], node);
    rows.set(row[KEY], row);
  }
  function drop(key) {
    if (nodes.has(key)) nodes.get(key).remove();
    nodes.delete(key);
    rows.delete(key);
  }
  let arriving = null; // what a whole fleet in several parts has brought so far
  Live.on("rows", (change) => {
    if (change.whole) arriving = new Set();
    Live.announce(change.rows.filter((row) => rows.has(row[KEY]) && rows.get(row[KEY])[STATE] !== row[STATE]).map((row) => row[NAME] + " is " + row[STATE] + " now"));
    change.rows.forEach((row) => { put(row); if (arriving) arriving.add(row[KEY]); });
    (change.gone || []).forEach(drop);
    if (arriving && change.version >= 0) {
      [...rows.keys()].filter((key) => !arriving.has(key)).forEach(drop);
      arriving = null;
    }
    arrange();
  });
  Live.on("meta", (meta) => {
    const about = document.getElementById("about");
    about.replaceChildren(...(meta.root ? ["In ", make("bdi", {}, meta.root)] : ["Looking for the first time ..."]));
    const host = document.getElementById("host");
    host.replaceChildren(...(meta.host || []).map(([severity, code, message, action]) =>
      make("li", {}, make("span", { class: "level " + severity }, severity), " ", message, " ", make("code", { class: "soft" }, code), make("br"), "What to do: ", ...unbroken(action))));
  });
  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    head.querySelector("button").addEventListener("click", () => {
      const same = order !== null && order[0] === column;
      order = same && order[1] === false ? null : [column, !same];
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      if (order) head.setAttribute("aria-sort", order[1] ? "descending" : "ascending");
      caption.textContent = order ? "All companies, by " + head.textContent : "All companies, the worst first";
      arrange();
    });
  }
  filter.addEventListener("input", choose);
  problems.addEventListener("change", choose);
  Live.data.rows.forEach(put);
  for (const node of nodes.values()) node.classList.remove("changed");
  arrange();
  Actions.fleet(document.getElementById("fleet-actions"), document.getElementById("happening"));
  Live.begin();
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
