// Buttons that run commands: the plan first where there is one, then yes; what a command says, as it says it.
"use strict";
const Actions = (function () {
  const { make, span, now } = Live;
  const shown = new Map(); // by number: the panel of an action
  let place = null, mine = () => true, buttons = [], after = () => {};

  async function post(asked) {
    const answer = await fetch("/action", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(asked) });
    let told = {};
    try { told = await answer.json(); } catch (error) { told = { error: "The answer was " + answer.status + "." }; }
    if (!answer.ok) throw new Error(told.error || "The answer was " + answer.status + ".");
    return told.id;
  }
  function tell(text) {
    place.prepend(make("p", { class: "trouble", role: "alert" }, text));
  }
  async function begin(asked) {
    place.querySelectorAll("p.trouble").forEach((one) => one.remove());
    try { panel({ id: await post(asked), name: asked.name, title: titleOf(asked.name), key: asked.company, started: now(), ended: null }, true); } catch (error) { tell(error.message); }
  }
  const NEXT = { "cleanup-plan": ["cleanup", "Yes, clean up"], "undo-plan": ["undo", "Yes, undo the last run"], "recover-plan": ["recover", "Yes, recover"], "reset-plan": ["reset", "Reset ..."] };
  const TITLES = { check: "Check now", backup: "Back up now", "cleanup-plan": "Clean up ...", cleanup: "Clean up", "undo-plan": "Undo ...", undo: "Undo", reconnect: "Reconnect",
    "start-session": "Start its session", qr: "QR code", "recover-plan": "Recover ...", recover: "Recover", "send-test": "Test message ...", silence: "Silence ...",
    "silence-end": "End the silence", "reset-plan": "Reset ...", reset: "Reset" };
  const titleOf = (name) => TITLES[name] || name;

  // --- one action: its words, its QR code, its end ---------------------------------------------------------
  const ours = new Set(); // what was asked for here: its plan is to be said yes to here
  function panel(one, isNew) {
    if (isNew) ours.add(one.id);
    // The stream may have told of it before the answer came.
    if (shown.has(one.id)) { shown.get(one.id)(); return; }
    const state = make("span", { role: "status" }), pre = make("pre", { tabindex: "0", "aria-label": "What it says" }), next = make("div", { class: "buttons" });
    const picture = make("img", { alt: "QR code: scan it with the phone (Settings, Linked devices)" });
    picture.hidden = true;
    const heading = make("h2", { tabindex: "-1" }, titleOf(one.name));
    const box = make("section", { class: "run", "aria-label": titleOf(one.name) }, heading, make("p", {}, state), picture, pre, next);
    place.prepend(box);
    if (isNew) heading.focus({ preventScroll: false });
    let ended = false, known = one, source = null;
    function mark(said, isLast) {
      // The list of actions knows of the end before the last words are here: they come first.
      if (said && said.ended !== null && !isLast && source && source.readyState !== EventSource.CLOSED) return;
      const told = known = said || known;
      state.textContent = told.ended === null ? "At work ..." : (told.end === "done" ? "Done" : told.end === "broken off" ? "Broken off before its end" : "Failed") +
        (told.exit_code ? ", exit code " + told.exit_code : "") + ", after " + span(told.ended - told.started);
      if (told.ended === null) return;
      picture.hidden = true;
      if (ended || !ours.has(one.id)) return;
      ended = true;
      if (NEXT[one.name] && told.end === "done") {
        const [name, text] = NEXT[one.name];
        const yes = make("button", { type: "button", class: name === "reset" ? "risky" : "" }, text), no = make("button", { type: "button" }, "No");
        yes.addEventListener("click", async () => {
          const fields = name === "reset" ? await ask("Reset", [["name", "Type the company's name to go on", "text"]]) : {};
          if (fields === null) return;
          next.replaceChildren();
          begin({ name, company: one.key, fields, plan: one.id });
        });
        no.addEventListener("click", () => { next.replaceChildren(); box.remove(); });
        next.append(yes, no);
        yes.focus({ preventScroll: true });
      }
      after();
    }
    shown.set(one.id, mark);
    mark(one);
    source = new EventSource("/action/" + encodeURIComponent(one.id) + "/events");
    source.addEventListener("output", (event) => {
      const told = JSON.parse(event.data);
      pre.append(told.text);
      pre.scrollTop = pre.scrollHeight;
      picture.hidden = !told.qr;
      if (told.qr) picture.src = "/action/" + encodeURIComponent(one.id) + "/qr.png?" + Date.now();
    });
    source.addEventListener("end", (event) => { source.close(); mark(JSON.parse(event.data), true); });
    // From the first word again: what was shown would stand there twice.
    source.addEventListener("error", () => { if (source.readyState === EventSource.CONNECTING) pre.replaceChildren(); });
    addEventListener("pagehide", () => source.close());
  }
  function ask(title, fields) {
    return new Promise((resolve) => {
      const inputs = new Map();
      const dialog = make("dialog", { "aria-label": title });
      const form = make("form", { method: "dialog" }, make("h2", {}, title));
      for (const [name, label, type, value] of fields) {
        const input = make("input", { type, name, required: "", autocomplete: "off" });
        input.value = value || "";
        inputs.set(name, input);
        form.append(make("label", {}, label, input));
      }
      const no = make("button", { type: "button" }, "Cancel");
      form.append(make("div", { class: "buttons" }, make("button", { type: "submit" }, "Go on"), no));
      dialog.append(form);
      document.body.append(dialog);
      let answer = null;
      form.addEventListener("submit", () => { answer = Object.fromEntries([...inputs].map(([name, input]) => [name, input.value])); });
      no.addEventListener("click", () => dialog.close());
      dialog.addEventListener("close", () => { dialog.remove(); resolve(answer); });
      dialog.showModal();
    });
  }
  function button(where, name, company, fields, title) {
    const node = make("button", { type: "button", class: name === "reset-plan" ? "risky" : "" }, titleOf(name));
    node.addEventListener("click", async () => {
      const given = fields ? await ask(title, fields) : {};
      if (given !== null) begin({ name, company, fields: given });
    });
    buttons.push(node);
    where.append(node);
  }
  function follow(where, chosen) {
    place = where;
    mine = chosen;
    Live.on("meta", (meta) => {
      const known = (meta.actions || []).filter(mine);
      // What runs, and the last that ended: the older ones are in the record of runs.
      const running = known.filter((one) => one.ended === null), last = known.filter((one) => one.ended !== null).slice(-1);
      for (const one of known) if (shown.has(one.id)) shown.get(one.id)(one);
      for (const one of [...last, ...running]) if (one.ended === null || now() - one.ended < 3600) panel(one, false);
      for (const node of buttons) node.disabled = running.length > 0;
    });
  }
  function fleet(where, happening) {
    if (!Live.data.actions) return;
    button(where, "check", null);
    button(where, "backup", null);
    follow(happening, (one) => one.key === null);
  }
  function company(key, data, where, happening, refresh) {
    if (!data.actions) return;
    after = refresh;
    button(where, "check", key);
    button(where, "backup", key);
    button(where, "cleanup-plan", key);
    button(where, "undo-plan", key);
    button(where, "recover-plan", key);
    if (data.api) {
      button(where, "reconnect", key);
      button(where, "start-session", key);
      button(where, "qr", key);
      button(where, "send-test", key, [["to", "Phone number, with its country", "tel"]], "Send a test message");
    }
    button(where, "silence", key, [["length", "For how long (30m, 2h, 1d)", "text", "2h"], ["because", "Why", "text"]], "Silence alerts");
    if (data.row[14]) button(where, "silence-end", key);
    button(where, "reset-plan", key);
    follow(happening, (one) => one.key === key);
  }
  return { fleet, company };
})();
