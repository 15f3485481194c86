import assert from "node:assert/strict";
import type { TabFile, TabState } from "../../../../web/tab/messages.ts";
import {
  addedMarkup,
  browserMarkup,
  filesMarkup,
  leadText,
  noticesMarkup,
  quotaStep,
  quotaSteps,
  titleText,
} from "../../../../web/tab/page_words.ts";

const hostile = `"><img src=x onerror=alert(1)>`;
const file: TabFile = {
  ...{ name: "a", size: 10, blocks: 4, held: 2, cells: [["tab", 2], ["wanted", 1], ["off", 1]] },
  ...{ phase: "taking", cut: 0, note: "", stored: false },
};
const state: TabState = {
  ...{ at: 1_000_000, mode: "running", since: 1, peer: "12D3KooWabc", tabs: 1, trouble: null },
  nodes: [{ id: "n", name: "attic", address: "/ip4/1.2.3.4", since: 1 }],
  ...{ nodesKnown: 3, blocks: 4_096, bytes: 1.07e9, quota: 2e9 },
  ...{ given: 1, taken: 2, givenRate: 3, takenRate: 4, series: [[1], [2]], lateMs: 0 },
  storage: { kept: "indexeddb", persisted: true, allowed: 38e9, refused: false },
  insecure: false,
  help: { on: true, blocks: 4_000, coming: 96, note: "" },
  files: [file],
};

Deno.test("titleText() and leadText() say how many copies go when the tab is closed", () => {
  assert.equal(
    titleText(state),
    "This tab keeps 4,096 extra copies, 1.07 GB, and gives them to 1 node.",
  );
  assert.match(leadText(state), /^Closing this tab removes 4,096 extra copies until you come back/);
  const memory: TabState = { ...state, storage: { ...state.storage, kept: "memory" } };
  assert.match(leadText(memory), /for good/);
  const alone: TabState = { ...state, nodes: [], trouble: "refused" };
  assert.match(titleText(alone), /no node is connected/);
  assert.match(leadText(alone), /Not connected: refused/);
});

Deno.test("markup of the tab's page escapes names and notes wherever they show", () => {
  const bad: TabFile = { ...file, name: hostile, note: hostile, phase: "unnamed", cut: 5 };
  const shown: TabState = {
    ...state,
    files: [bad, { ...bad, phase: "stuck" }],
    nodes: [{ id: "n", name: hostile, address: "", since: 1 }],
    help: { ...state.help, note: hostile },
    peer: hostile,
  };
  for (const markup of [filesMarkup(shown), addedMarkup(shown), browserMarkup(shown)]) {
    assert.ok(!markup.includes("<img"), markup);
    assert.ok(markup.includes("&#60;img"), markup);
  }
});

Deno.test("noticesMarkup() shows at most two, the worst first", () => {
  assert.equal(noticesMarkup(state, true), "");
  const worst: TabState = {
    ...state,
    insecure: true,
    storage: { ...state.storage, kept: "memory", refused: true },
  };
  const markup = noticesMarkup(worst, false);
  assert.equal(markup.match(/class="notice/g)?.length, 2);
  assert.match(markup, /takes no more bytes.*keeps nothing/s);
});

Deno.test("quotaStep() finds the slider's place for every step and for what lies between", () => {
  for (const [index, bytes] of quotaSteps.entries()) assert.equal(quotaStep(bytes), index);
  assert.equal(quotaStep(2 ** 30), 5);
  assert.equal(quotaStep(1), 0);
});
