// One company: its row stays live, and the rest is asked for again when the row changes.
"use strict";
(function () {
  const { make, age, moment, bytes } = Live;
  const STATE = 2, CODE = 3, SEVERITY = 4, WHY = 5, CONNECTION = 9, ACTIVE = 10, SNAPSHOT = 12, SILENCED = 14;
  const key = Live.data.key;
  const address = "/company/" + encodeURIComponent(key);
  const state = document.getElementById("state"), why = document.getElementById("why"), more = document.getElementById("more");
  const beside = document.getElementById("beside"), loud = document.getElementById("companies");

  function head(row) {
    if (state.textContent && state.textContent !== row[STATE]) Live.announce([row[1] + " is " + row[STATE] + " now"]);
    state.className = "level " + row[STATE];
    state.textContent = row[STATE];
    why.replaceChildren(...(row[CODE] ? [make("span", { class: "level code " + row[SEVERITY] }, row[CODE]), " ", make("bdi", {}, row[WHY])] : ["Nothing is wrong that was found."]),
      row[SILENCED] ? make("span", { class: "soft" }, " Alerts are silenced.") : "");
    document.title = row[STATE] + ": \u2068" + row[1] + "\u2069"; // a name runs its own way, and turns nothing else round
  }
  const cell = (value, kind) => make("td", kind ? { class: kind } : {}, value);
  function table(title, heads, rows) {
    return make("div", {}, make("h2", {}, title), make("div", { class: "table" }, make("table", {},
      make("thead", {}, make("tr", {}, ...heads.map((one) => make("th", { scope: "col" }, one)))), make("tbody", {}, ...rows))));
  }
  // --- the level over time, and the numbers of each kind by day: their curves are the report's -----------------
  const LEVELS = { healthy: "ok", warning: "limit" };
  function levelsOverTime({ at, levels, kinds }) {
    const strip = make("div", { class: "levels", "aria-hidden": "true" });
    levels.forEach((level, i) => {
      const part = make("span", { title: level + ", " + moment(at[i]) });
      part.style.flexGrow = Math.max(1, (at[i + 1] ?? at[i]) - at[i]);
      part.style.background = "var(--" + (LEVELS[level] || "worst") + ")";
      strip.append(part);
    });
    const days = new Map(), day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
    at.forEach((moment, i) => days.set(day.format(new Date(moment * 1000)), i));
    const rows = [...days].map(([name, i]) => make("tr", {}, make("th", { scope: "row" }, name), cell(levels[i]), ...kinds.map(([, counts]) => cell(counts[i].toLocaleString(), "n"))));
    const numbers = make("details", {}, make("summary", {}, "The numbers by day"), make("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Level and files by kind and day" },
      make("table", {}, make("caption", {}, "At the end of each day"),
        make("thead", {}, make("tr", {}, ...["Day", "Level", ...kinds.map(([kind]) => kind)].map((one, i) => make("th", i > 1 ? { scope: "col", class: "n" } : { scope: "col" }, one)))),
        make("tbody", {}, ...rows))));
    const worse = levels.filter((one) => one !== "healthy").length;
    const text = levels[levels.length - 1] + " now" + (worse ? ", above healthy in " + Math.round((100 * worse) / levels.length) + " % of the looks" : ", and healthy all the time") + ".";
    return make("div", {}, make("h2", {}, "Level over time"), make("figure", {}, make("figcaption", {}, text), strip), numbers);
  }
  const ENDS = { 0: "done", 1: "failed", 2: "usage or settings", 3: "partly failed", 4: "done, warning", 5: "done, critical", 10: "not found",
    11: "snapshot damaged", 12: "wrong key", 13: "refused", 75: "locked", 129: "hung up", 130: "interrupted", 143: "terminated" };
  function fill(told) {
    const wasOpen = beside.querySelector("details[open]") !== null;
    more.replaceChildren();
    for (const [name, text, at] of told.facts || []) {
      more.append(make("div", {}, make("dt", {}, name), make("dd", {}, at === null ? text || "not known" : make("span", {}, age(at), " ago" + (text ? ", " + text : "")))));
    }
    more.append(make("div", {}, make("dt", {}, "Folder"), make("dd", {}, make("bdi", {}, told.path || ""))));
    beside.replaceChildren();
    if ((told.log || []).length) {
      beside.append(table("What its log says", ["Event", "24 hours", "7 days"],
        told.log.map(([event, day, week]) => make("tr", {}, make("th", { scope: "row" }, event), cell(day.toLocaleString(), "n"), cell(week.toLocaleString(), "n")))));
    }
    if ((told.costs || []).length) {
      beside.append(table("What cleanups cost", ["Cleanup", "Files removed", "Chats late", "Group messages late"],
        told.costs.map(([at, files, chats, members, chatsLate, membersLate]) => make("tr", {}, make("th", { scope: "row" }, moment(at)), cell(files.toLocaleString(), "n"),
          cell(chatsLate.toLocaleString() + " of " + chats.toLocaleString(), "n"), cell(membersLate.toLocaleString() + " of " + members.toLocaleString(), "n")))),
        make("p", { class: "soft" }, "So many messages came late by one resend so far, of so many at most. Cleanups that can still be undone."));
    }
    const overTime = told.by_kind && told.by_kind.at.length > 1 ? levelsOverTime(told.by_kind) : null;
    if (overTime) {
      overTime.querySelector("details").open = wasOpen;
      beside.append(overTime);
    }
    if ((told.snapshots || []).length) {
      beside.append(table("Newest snapshots", ["Taken", "Size", ""],
        told.snapshots.map(([at, size, damaged]) => make("tr", {}, make("th", { scope: "row" }, moment(at)), cell(bytes(size), "n"), cell(damaged ? "damaged" : "good")))),
        make("p", { class: "soft" }, "Each was read back when it was taken. ", ...(told.checked
          ? ["verify last read snapshots ", age(told.checked[0]), told.checked[1] === 0 ? " ago: all whole." : " ago, and found damage or could not read all."]
          : ["verify has not run here."])));
    }
    if ((told.runs || []).length) {
      beside.append(table("Runs by page, of all companies", ["When", "Command", "End"],
        told.runs.map(([at, command, code, dry]) => make("tr", {}, make("th", { scope: "row" }, moment(at)), cell(command + (dry ? " (dry run)" : "")), cell(ENDS[code] || "exit code " + code)))));
    }
    if (Live.data.badge) {
      beside.append(make("h2", {}, "Badge"), make("p", {}, make("img", { src: Live.data.badge, alt: "The badge of this company" }), " ",
        make("code", { class: "code" }, location.origin + Live.data.badge)),
        make("p", { class: "soft" }, "Whoever has this address sees this company's state, and nothing else."));
    }
  }
  // The first command in a text, as pasted.py writes it: a verb, options, and values that a shell would read as one word.
  const ALONE = ["--dry-run", "--list", "--yes", "--force", "--deep", "--all", "--renew", "--verbose", "--systemd", "--system"];
  function commandIn(text) {
    const at = text.indexOf("baileys-tools ");
    if (at < 0) return "";
    const words = text.slice(at).match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) || [];
    const taken = [words[0]];
    for (let i = 1; i < words.length; i++) {
      const plain = /['"]$/.test(words[i]) ? words[i] : words[i].replace(/[.,;:)]+$/, "");
      const last = taken[taken.length - 1];
      const isValue = last.startsWith("-") && !ALONE.includes(last);
      if (!isValue && !plain.startsWith("-") && i > (/^(cron|config|notify)$/.test(words[1]) ? 2 : 1)) break;
      taken.push(plain);
      if (plain !== words[i]) break;
    }
    return taken.join(" ");
  }
  // Commands in findings can be copied with one press.
  function copies() {
    for (const item of document.querySelectorAll("#companies .findings li")) {
      const found = commandIn(item.textContent);
      if (!found || item.querySelector(".copy")) continue;
      const button = make("button", { type: "button", class: "copy", "aria-label": "Copy the command: " + found }, "Copy the command");
      button.addEventListener("click", async () => {
        // Outside of https and localhost a page has no clipboard: then the command stands there to be marked.
        try { await navigator.clipboard.writeText(found); button.textContent = "Copied"; } catch (error) { button.textContent = found; }
        button.setAttribute("aria-label", button.textContent);
      });
      item.append(" ", button);
    }
  }
  let asking = false, again = false;
  async function refresh() {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const answer = await fetch(address + "/data.json", { headers: { accept: "application/json" } });
      if (answer.status === 404) { gone(); return; }
      if (answer.ok) {
        const told = await answer.json();
        head(told.row);
        if (told.report) { document.dispatchEvent(new CustomEvent("report-data", { detail: told.report })); copies(); }
        if (!told.trouble) fill(told);
      }
    } catch (error) { /* the stream says that nothing is heard */ } finally {
      asking = false;
      if (again) { again = false; setTimeout(refresh, 1000); }
    }
  }
  function gone() {
    state.className = "level gone";
    state.textContent = "gone";
    why.textContent = "This company is no longer there.";
  }
  Live.on("rows", (change) => {
    const row = change.rows.find((one) => one[0] === key);
    if (row) { head(row); refresh(); }
    if ((change.gone || []).includes(key)) gone();
  });
  head(Live.data.row);
  fill(Live.data);
  copies();
  if (Live.data.trouble) loud.append(make("p", { class: "trouble" }, "This company cannot be looked at: " + Live.data.trouble));
  Actions.company(key, Live.data, document.getElementById("company-actions"), document.getElementById("happening"), refresh);
  Live.begin();
})();
