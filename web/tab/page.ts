// The script of the tab's page: starts the worker, shows its states, passes orders on. It does
// nothing that the worker could do, so that a page in the background may sleep.

import { formatSize } from "../../shared/base/units.ts";
import { sizeOf, whole } from "../pages/words.ts";
import type { TabOrder, TabState, WorkerWord } from "./messages.ts";
import {
  addedMarkup,
  browserMarkup,
  filesMarkup,
  leadText,
  notice,
  noticesMarkup,
  quotaNote,
  quotaStep,
  quotaSteps,
  ratesMarkup,
  sinceMarkup,
  spaceMarkup,
  sparkMarkup,
  titleText,
} from "./page_words.ts";

const place = document.querySelector<HTMLElement>("[data-tab]");
if (place !== null) open(place);

/** Once a minute at most a worker gives way to one whose policy knows the nodes of now. */
const renewMs = 60_000;
/** What a new worker could not dial either (a policy has no words for it) is left so long. */
const beyondMs = 3_600_000;
/** An order is on its way for less than this; the worker that has it must not end. */
const orderMs = 3_000;

function open(main: HTMLElement): void {
  let latest: TabState | undefined;
  let renewedAt = -renewMs;
  let orderedAt = -orderMs;
  const triedAt = new Map<string, number>();
  const hear = ({ data }: MessageEvent<WorkerWord>) => {
    switch (data.t) {
      case "failed":
        return trouble(data.why);
      case "state":
        latest = data.state;
        return show(data.state, data.mine);
      case "beyond": {
        const now = performance.now();
        const isNew = data.urls.some((url) => now - (triedAt.get(url) ?? -beyondMs) >= beyondMs);
        if (!isNew || now - renewedAt < renewMs || now - orderedAt < orderMs) return;
        for (const url of data.urls) triedAt.set(url, now);
        renewedAt = now;
        worker.terminate();
        worker = startWorker(main, hear);
        return;
      }
      default:
        return data satisfies never;
    }
  };
  let worker = startWorker(main, hear);
  const order = (what: TabOrder) => {
    orderedAt = performance.now();
    worker.postMessage(what);
  };
  addEventListener("pagehide", () => worker.terminate());
  addEventListener("pageshow", (event) => {
    // Come back from the page cache, whose workers are gone.
    if (event.persisted) location.reload();
  });
  wireButtons(order, () => latest);
  wireFiles(order);
  const wanted = new URL(location.href).searchParams.get("keep");
  if (wanted !== null && wanted !== "") {
    // Only a page of this node may start it: a link from elsewhere just fills in the name.
    if (cameFromHere()) {
      order({ t: "start" });
      order({ t: "keep", name: wanted.normalize("NFC") });
    } else input("tab-name").value = wanted;
    // Done once: a reload must not bring back a file that was let go.
    history.replaceState(null, "", location.pathname);
  }
}

function startWorker(main: HTMLElement, hear: (event: MessageEvent<WorkerWord>) => void): Worker {
  const worker = new Worker(main.dataset["worker"] ?? "", { type: "module", name: "skyring-tab" });
  worker.addEventListener("message", hear);
  worker.addEventListener("error", (event) => {
    trouble(event.message === "" ? "its script could not be loaded" : event.message);
  });
  return worker;
}

function cameFromHere(): boolean {
  const from = document.referrer;
  return URL.canParse(from) && new URL(from).origin === location.origin;
}

function wireButtons(
  order: (what: TabOrder) => void,
  latest: () => TabState | undefined,
): void {
  byId("tab-start").addEventListener("click", () => order({ t: "start" }));
  byId("tab-pause").addEventListener("click", () => order({ t: "pause" }));
  byId("tab-forget-now").addEventListener("click", () => order({ t: "forget" }));
  const quota = input("tab-quota");
  quota.addEventListener("input", () => {
    byId("tab-space").textContent = sizeOf(latest()?.bytes ?? 0, chosenQuota(quota));
  });
  quota.addEventListener("change", () => order({ t: "quota", bytes: chosenQuota(quota) }));
  const help = input("tab-help");
  help.addEventListener("change", () => order({ t: "help", on: help.checked }));
  byId("tab-keep").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = input("tab-name").value.trim().normalize("NFC");
    if (name === "") return;
    order({ t: "start" });
    order({ t: "keep", name });
    input("tab-name").value = "";
  });
  byId("tab-quota-form").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("click", (event) => {
    const from = event.target instanceof Element ? event.target : null;
    const asked = (attribute: string) =>
      from?.closest(`[${attribute}]`)?.getAttribute(attribute) ?? undefined;
    const letGo = asked("data-let-go");
    if (letGo !== undefined) order({ t: "drop", name: letGo });
    const again = asked("data-name-again");
    if (again !== undefined) order({ t: "name", was: again, name: again });
    const both = asked("data-name-both");
    if (both !== undefined) order({ t: "name", was: both, name: numbered(both) });
  });
}

function wireFiles(order: (what: TabOrder) => void): void {
  const drop = byId("tab-drop");
  const add = (files: Iterable<File>) => {
    for (const file of files) order({ t: "add", name: file.name.normalize("NFC"), file });
  };
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("is-over");
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) drop.classList.remove("is-over");
  });
  addEventListener("drop", (event) => {
    drop.classList.remove("is-over");
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    add([...event.dataTransfer.files]);
  });
  byId("tab-choose").addEventListener("click", () => {
    const chooser = document.createElement("input");
    chooser.type = "file";
    chooser.multiple = true;
    chooser.addEventListener("change", () => add([...chooser.files ?? []]));
    chooser.click();
  });
}

function show(state: TabState, mine: boolean): void {
  const since = sinceMarkup(state);
  byId("tab-since").hidden = since === "";
  fill("tab-since", since);
  say("tab-title", titleText(state));
  say("tab-lead", leadText(state));
  fill("tab-notices", noticesMarkup(state, mine));
  fill("tab-spark", sparkMarkup(state));
  fill("tab-rates", ratesMarkup(state));
  fill("tab-files", filesMarkup(state));
  fill("tab-added", addedMarkup(state));
  fill("tab-bar", spaceMarkup(state));
  fill("tab-browser", browserMarkup(state));
  say("tab-quota-note", quotaNote(state));
  say(
    "tab-forget-words",
    `${whole(state.blocks)} blocks, ${formatSize(state.bytes)}, this tab's identity and its ` +
      "settings are removed. The pool keeps its own copies.",
  );
  byId("tab-start").hidden = state.mode === "running";
  byId("tab-start").textContent = state.mode === "paused" ? "Go on seeding" : "Seed from this tab";
  byId("tab-pause").hidden = state.mode !== "running";
  input("tab-help").checked = state.help.on;
  const quota = input("tab-quota");
  // A slider being moved is its owner's.
  if (document.activeElement !== quota) {
    quota.value = String(quotaStep(state.quota));
    say("tab-space", sizeOf(state.bytes, state.quota));
  }
}

function trouble(why: string): void {
  byId("tab-notices").insertAdjacentHTML(
    "afterbegin",
    notice("This tab cannot do that.", `${why}.`),
  );
}

function chosenQuota(slider: HTMLInputElement): number {
  return quotaSteps[Number(slider.value)] ?? quotaSteps[0] ?? 0;
}

function numbered(name: string): string {
  const dot = name.lastIndexOf(".");
  const cut = dot > name.lastIndexOf("/") + 1 ? dot : name.length;
  return `${name.slice(0, cut)} (${new Date().toISOString().slice(11, 19)})${name.slice(cut)}`;
}

function fill(id: string, markup: string): void {
  const element = byId(id);
  // Unchanged parts are left alone: a button must not vanish under the pointer.
  if (element.dataset["shown"] === markup) return;
  element.dataset["shown"] = markup;
  element.innerHTML = markup;
}

function say(id: string, text: string): void {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

function input(id: string): HTMLInputElement {
  return byId(id) as HTMLInputElement;
}

function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`Cannot find #${id}: the page is another one`);
  return element;
}
