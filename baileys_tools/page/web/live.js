// What both pages share: small pieces, ages that go on, and the stream of what changes.
"use strict";
const Live = (function () {
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const QUIET = 40; // seconds without a word from the server, which speaks every 15
  let ahead = data.clock - Date.now() / 1000; // the server's clock, seen from ours
  let heard = performance.now();
  let meta = data.meta, start = data.start, version = data.version;

  // Text only ever goes in as text.
  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    for (const child of children) if (child !== null && child !== undefined) node.append(child);
    return node;
  }
  // A hyphen ends no line inside a command's option, or somebody types it in two.
  const unbroken = (text) => text.split(/(\S*-\S*)/).map((word, at) => at % 2 && word.length < 32 ? make("span", { class: "whole" }, word) : word);
  const now = () => Date.now() / 1000 + ahead;
  function span(seconds) {
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return s + " s";
    if (s < 5400) return Math.round(s / 60) + " min";
    if (s < 172800) return Math.round(s / 3600) + " h";
    return Math.round(s / 86400) + " days";
  }
  const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const moment = (seconds) => when.format(new Date(seconds * 1000));
  function age(seconds) {
    if (seconds === null) return make("span", { class: "soft" }, "-");
    return make("time", { datetime: new Date(seconds * 1000).toISOString(), title: moment(seconds), "data-at": seconds }, span(now() - seconds));
  }
  function tick() {
    for (const node of document.querySelectorAll("time[data-at]")) {
      const text = span(now() - Number(node.dataset.at));
      if (node.textContent !== text) node.textContent = text;
    }
    tell();
  }
  const bytes = (size) => (size < 1e6 ? (size / 1e3).toFixed(1) + " kB" : (size / 1e6).toFixed(1) + " MB");

  // --- how old what is shown is, and loudly when it is too old ---------------------------------------------
  const fresh = document.getElementById("freshness"), loud = document.getElementById("loud");
  let said = "";
  function tell() {
    const parts = [];
    if (meta.now) parts.push("Looked " + span(now() - meta.now) + " ago");
    parts.push(meta.passed ? "last pass of monitor-once " + span(now() - meta.passed) + " ago" : "no pass of monitor-once yet");
    fresh.textContent = parts.join(", ") + ".";
    const silent = (performance.now() - heard) / 1000;
    const troubles = [];
    if (silent > QUIET) troubles.push("This page hears nothing from its server: what it shows is " + span(silent) + " old.");
    if (meta.trouble) troubles.push("The last look failed: " + meta.trouble + (meta.hint ? ". " + meta.hint : ""));
    if (meta.late) troubles.push(meta.late + (meta.passed ? " (last pass " + moment(meta.passed) + ")" : "") + ". baileys-tools cron status says why.");
    if (meta.state_trouble) troubles.push("History is not known: " + meta.state_trouble);
    // Ages in it change every second; only other words are read aloud again.
    const key = troubles.map((one) => one.replace(/\d+ (s|min|h|days)/g, "")).join("|");
    if (key === said) {
      troubles.forEach((one, index) => { loud.children[index].textContent = one; });
      return;
    }
    said = key;
    loud.replaceChildren(...troubles.map((one) => make("p", { class: "trouble loud" }, one)));
  }

  // What came by itself is read aloud too, but only what matters: that somebody is in another state.
  function announce(texts) {
    if (!texts.length) return;
    const more = texts.length > 5 ? ", and " + (texts.length - 5) + " more" : "";
    document.getElementById("news").textContent = texts.slice(0, 5).join(", ") + more + ".";
  }

  // --- the stream ------------------------------------------------------------------------------------------
  const listeners = { rows: [], meta: [], action: [] };
  const on = (name, listener) => listeners[name].push(listener);
  const emit = (name, value) => listeners[name].forEach((listener) => listener(value));
  function listen() {
    const source = new EventSource("/events?start=" + encodeURIComponent(start) + "&since=" + version);
    const hear = (event) => {
      heard = performance.now();
      return JSON.parse(event.data);
    };
    source.addEventListener("rows", (event) => {
      const told = hear(event);
      if (told.meta) { meta = told.meta; emit("meta", meta); }
      start = told.start;
      version = told.version;
      emit("rows", told);
      tell();
    });
    source.addEventListener("pulse", (event) => {
      const told = hear(event);
      ahead = told.clock - Date.now() / 1000;
      tell();
    });
    source.addEventListener("open", () => { heard = performance.now(); });
    source.addEventListener("error", () => {
      // A browser gives up for good after an answer that is no stream: a restart behind a proxy, say.
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    });
    addEventListener("pagehide", () => source.close());
  }
  setInterval(tick, 1000);
  const begin = () => { emit("meta", meta); tell(); listen(); };
  return { announce, data, make, unbroken, age, span, moment, bytes, now, on, begin, meta: () => meta };
})();
