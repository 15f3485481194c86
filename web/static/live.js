// What pages need a script for beside htmx: the stream of events while the page is seen, polls
// only while it is seen, the age of the picture when the node does not answer, sheets, and
// buttons that copy. A page without it can be read, and its forms work.
//
// No part of it evaluates text, and nothing from a file or a name becomes markup.

(() => {
  /** Parts that never changed are not swapped: their tag is the one of the last swap. */
  const seenTags = new WeakMap();
  let answeredAt = Date.now();
  let pending = 0;

  /** @param {string} selector */
  const all = (selector) => /** @type {HTMLElement[]} */ ([...document.querySelectorAll(selector)]);
  const live = () => document.getElementById("live");

  // ---- the stream, opened only by a page that is seen; htmx closes it when the page is hidden
  let asked = false;
  let streaming = false;
  function watch() {
    if (document.hidden || asked) return;
    document.getElementById("stream")?.dispatchEvent(new CustomEvent("skyring-watch"));
    // htmx may not have wired the page yet: then nothing was asked.
    if (!asked) setTimeout(watch, 200);
  }
  /** @param {Event} event */
  const ofStream = (event) => event.target instanceof Element && event.target.id === "stream";
  document.addEventListener("htmx:before:request", (event) => {
    if (ofStream(event)) asked = true;
  });
  document.addEventListener("htmx:sse:before:connection", (event) => {
    // Hidden between asking and the answer: nobody has listened for that so far.
    if (document.hidden) event.preventDefault();
    else streaming = true;
  });
  document.addEventListener("htmx:sse:close", () => asked = streaming = false);
  document.addEventListener("htmx:finally:request", (event) => {
    if (!ofStream(event) || streaming) return;
    // Refused its place, which others hold: polls do meanwhile.
    asked = false;
    setTimeout(watch, 5_000);
  });
  for (const kind of ["member", "file", "block", "phase", "job", "resync"]) {
    document.addEventListener(kind, changed);
  }
  /** Many events at once are one question. */
  function changed() {
    if (pending !== 0 || document.hidden) return;
    pending = setTimeout(() => {
      pending = 0;
      refresh();
    }, 300);
  }
  function refresh() {
    live()?.dispatchEvent(new CustomEvent("pool-changed"));
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    watch();
    refresh();
  });

  // ---- polls
  document.addEventListener("htmx:before:request", (event) => {
    const poll = event.target instanceof Element && event.target.hasAttribute("data-live");
    if (poll && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:before:response", (event) => {
    const target = event.target;
    if (!(target instanceof Element) || !target.matches("[data-live], .share [hx-get]")) return;
    const response = /** @type {CustomEvent} */ (event).detail?.ctx?.response?.raw;
    if (!(response instanceof Response)) return;
    if (response.status < 500) answered();
    else failed();
    const tag = response.headers.get("etag");
    if (response.ok && (tag === null || seenTags.get(target) !== tag)) {
      if (tag !== null) seenTags.set(target, tag);
      return;
    }
    event.preventDefault();
    response.body?.cancel();
  });
  document.addEventListener("htmx:error", failed);
  document.addEventListener("htmx:after:swap", enliven);

  function answered() {
    answeredAt = Date.now();
    const cut = document.getElementById("cut");
    if (cut !== null) cut.hidden = true;
  }
  function failed() {
    const cut = document.getElementById("cut");
    if (cut === null) return;
    cut.hidden = false;
    showAge();
  }
  function showAge() {
    for (const place of all("[data-cut-age]")) {
      place.textContent = `${Math.max(1, Math.round((Date.now() - answeredAt) / 1000))} s`;
    }
  }
  setInterval(() => {
    if (document.getElementById("cut")?.hidden === false) showAge();
  }, 1000);

  // ---- buttons and sheets
  document.addEventListener("click", (event) => {
    const from = event.target instanceof Element ? event.target : null;
    const copy = from?.closest("[data-copy]");
    if (copy instanceof HTMLElement) copyText(copy);
    const heal = from?.closest("[data-heal]");
    if (heal instanceof HTMLButtonElement) healPool(heal);
    if (from?.closest("[data-try]") !== null && from !== null) refresh();
    const opener = from?.closest("[data-sheet]");
    const sheet = document.getElementById(opener?.getAttribute("data-sheet") ?? "");
    if (sheet instanceof HTMLDialogElement) {
      event.preventDefault();
      sheet.showModal();
    }
    const closer = from?.closest("[data-close]");
    if (closer instanceof HTMLElement) {
      event.preventDefault();
      closer.closest("dialog")?.close();
    }
    // A click beside the sheet's content lands on the dialog itself.
    if (from instanceof HTMLDialogElement) from.close();
  });

  /** @param {HTMLElement} button */
  async function copyText(button) {
    const text = button.dataset["copy"] ?? "";
    const said = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Without permission, or over plain HTTP, the text is selected to be copied by hand.
      const place = button.parentElement?.querySelector("input, code");
      if (place instanceof HTMLInputElement) place.select();
      else if (place) getSelection()?.selectAllChildren(place);
      button.textContent = "Selected";
    }
    setTimeout(() => button.textContent = said, 1500);
  }

  /** Reads the lines of a healing as they come. @param {HTMLButtonElement} button */
  async function healPool(button) {
    const place = button.parentElement?.querySelector("[data-heal-says]");
    /** @param {string} words */
    const say = (words) => place && (place.textContent = words);
    button.disabled = true;
    say("asking every node …");
    try {
      const answer = await fetch("/api/heal", { method: "POST" });
      if (!answer.ok || answer.body === null) {
        say((await answer.json()).detail ?? "The node refused.");
        return;
      }
      let rest = "";
      let report = false;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          const told = JSON.parse(line);
          report = told.kind === "report";
          say(healWords(told));
        }
      }
      if (!report) say("The healing broke off before its report; try again.");
    } catch {
      say("The node does not answer; try again.");
    } finally {
      button.disabled = false;
    }
  }

  /** @param {Record<string, number | string>} told */
  function healWords(told) {
    if (told["kind"] !== "report") {
      return `${told["nodesDone"]} of ${told["nodes"]} nodes checked, ` +
        `${told["blocksRestored"]} blocks restored, ${told["blocksWanted"]} still wanted`;
    }
    const dead = Number(told["nodesDead"]);
    const lost = Number(told["blocksLost"]);
    return `Done: ${told["nodesChecked"]} nodes checked${dead > 0 ? `, ${dead} dead` : ""}, ` +
      `${told["blocksRestored"]} blocks restored, ${lost > 0 ? `${lost} lost` : "none lost"}.`;
  }

  /** Shows what only a script can do. */
  function enliven() {
    for (
      const hidden of all("button[data-copy][hidden], [data-pickers][hidden], [data-heal][hidden]")
    ) {
      hidden.hidden = false;
    }
  }

  enliven();
  // htmx wires the page in a task of its own, which may come before or after this one.
  document.addEventListener("DOMContentLoaded", () => setTimeout(watch));
})();
