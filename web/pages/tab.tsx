// The page of a tab that seeds. The server sends what never changes, with a place for everything
// that the tab's own script fills in; without script it says what it would need.

import { keySample } from "../charts/key.ts";
import { Frame, type FrameView } from "./frame.tsx";
import { Picture } from "./picture.tsx";

export interface TabView {
  /** Addresses of the page's script and of the worker's. */
  readonly script: string;
  readonly worker: string;
  /** Names of files to choose from, the first of the list. */
  readonly names: readonly string[];
}

/** The whole page. */
export function TabPage({ view, frame }: { readonly view: TabView; readonly frame: FrameView }) {
  return (
    <Frame view={frame} title="Seed from this tab" page="tab" scripts={[view.script]}>
      <main id="main" class="main on-page" data-tab data-worker={view.worker}>
        <noscript>
          <div class="notice is-wanted">
            <p>
              <b>This page needs script.</b> A tab takes, keeps and gives blocks by itself.
            </p>
          </div>
        </noscript>
        <div id="tab-notices"></div>
        <div class="head">
          <div>
            <p class="crumbs" id="tab-since" hidden></p>
            <h1 id="tab-title">This tab can seed.</h1>
            <p id="tab-lead">
              It takes blocks of the pool, keeps them in this browser and gives them to the nodes,
              until it is closed, and again when it comes back.
            </p>
          </div>
          <div class="acts">
            <button class="btn btn-main" type="button" id="tab-start" hidden>
              Seed from this tab
            </button>
            <button class="btn" type="button" id="tab-pause" hidden>Pause</button>
            <button class="btn btn-risk" type="button" data-sheet="tab-forget">Forget all…</button>
          </div>
        </div>
        <div class="cols cols-21">
          <section>
            <h2 class="rule">
              Given and taken <small>last minute</small>
            </h2>
            <div id="tab-spark"></div>
            <dl class="trio" id="tab-rates"></dl>
            <div class="block">
              <h2 class="rule">What it keeps</h2>
              <div class="holders holders-l holders-tab" id="tab-files"></div>
              <ul class="legend">
                <li>
                  <Picture svg={keySample("tab")} />in this tab
                </li>
                <li>
                  <Picture svg={keySample("wanted")} />on its way here
                </li>
                <li>
                  <Picture svg={keySample("off")} />not here
                </li>
              </ul>
            </div>
          </section>
          <Side names={view.names} />
        </div>
        <Add />
        <ForgetSheet />
      </main>
    </Frame>
  );
}

function Side({ names }: { readonly names: readonly string[] }) {
  return (
    <div class="facts">
      <form class="fact" id="tab-quota-form">
        <h2>
          <label for="tab-quota">Space it may use</label>
          <span id="tab-space"></span>
        </h2>
        <div id="tab-bar"></div>
        <input
          id="tab-quota"
          type="range"
          min="0"
          max="12"
          value="6"
          aria-describedby="tab-quota-note"
        />
        <p id="tab-quota-note"></p>
      </form>
      <form class="fact" id="tab-keep">
        <h2>What it seeds</h2>
        <fieldset>
          <legend class="sr">What it seeds</legend>
          <label class="check">
            <input type="checkbox" id="tab-help" checked />{" "}
            <span>Help the pool: the rarest blocks first</span>
          </label>
        </fieldset>
        <p>
          <label for="tab-name">Keep a file, whole</label>
        </p>
        <div class="field-line">
          <input class="input" id="tab-name" list="tab-names" autocomplete="off" maxlength={1024} />
          <button class="btn" type="submit">Keep</button>
        </div>
        <datalist id="tab-names">{names.map((name) => <option value={name}></option>)}</datalist>
      </form>
      <section class="fact">
        <h2>This browser</h2>
        <dl class="kv" id="tab-browser"></dl>
      </section>
    </div>
  );
}

function ForgetSheet() {
  return (
    <dialog class="sheet" id="tab-forget" aria-labelledby="tab-forget-title">
      <div class="sheet-head">
        <h2 class="sheet-title" id="tab-forget-title">Forget all that this browser keeps?</h2>
        <p id="tab-forget-words">Its blocks, its identity and its settings are removed.</p>
      </div>
      <div class="sheet-foot">
        <button class="btn" type="button" data-close autofocus>Keep them</button>
        <button class="btn btn-risk" type="button" id="tab-forget-now" data-close>
          Forget all
        </button>
      </div>
    </dialog>
  );
}

function Add() {
  return (
    <section class="block">
      <div class="drop" id="tab-drop">
        <span>
          <b>Add from this tab</b>
          <br />
          Drop a file: it is seeded at once from here, and the nodes copy it, so that it outlives
          the tab.
        </span>
        <button class="btn" type="button" id="tab-choose">Choose a file</button>
      </div>
      <div class="ups" id="tab-added"></div>
    </section>
  );
}
