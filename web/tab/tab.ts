// The peer of a browser tab, put together: identity, settings and blocks from IndexedDB or memory,
// connections while it runs, and the jobs that take, keep and add. Knows no page: orders come in,
// states go out.
//
// Start: values, identity, store, then, if it was running when it was left, connections and jobs.
// stop() ends them in reverse.

import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { messageOf } from "../../shared/base/errors.ts";
import { originAddress } from "../peer/socket_address.ts";
import { addFile, type AddPorts, nameFile } from "./add_file.ts";
import type { Cipher } from "./cipher.ts";
import { FileList, filesMax, showFile } from "./file_list.ts";
import { helpPool, type HelpWord } from "./help_pool.ts";
import { identityOf } from "./identity.ts";
import { keepFile } from "./keep_file.ts";
import type { KeyValues } from "./key_values.ts";
import type { TabOrder, TabState } from "./messages.ts";
import { Meter } from "./meter.ts";
import { createNodeApi, type NodeApi, type Permit } from "./node_api.ts";
import { keepNodes, type NodeKeeper } from "./node_keeper.ts";
import { createTabHash, type TabHash } from "./tab_hash.ts";
import { startTabNetwork, type TabNetwork } from "./tab_network.ts";
import {
  quotaMin,
  readSettings,
  type Settings,
  settingsDefault,
  writeSettings,
} from "./settings.ts";
import { openTabStore, type TabStore } from "./tab_store.ts";
import { Taker } from "./taker.ts";

export interface TabOptions {
  /** Identity, settings and file records; and the blocks. */
  readonly values: KeyValues;
  readonly blocks: KeyValues;
  readonly origin: URL;
  readonly reach: ReadonlySet<string>;
  readonly secure: boolean;
  readonly loadCipher: () => Promise<Cipher>;
  readonly storage: StorageManager | undefined;
  /** Tabs that share this peer. */
  readonly tabs: () => number;
  /** Something that a page shows has changed. */
  readonly onChange: () => void;
  /** Nodes that only a worker loaded now could dial; nothing would be lost by one. */
  readonly onBeyond: (urls: readonly string[]) => void;
}

/** What runs while the tab seeds. */
interface Run {
  readonly over: AbortController;
  readonly keeper: NodeKeeper;
  network: { readonly group: string; readonly ready: Promise<TabNetwork> } | undefined;
  help: AbortController | undefined;
}

/** Opens the tab's peer; it runs when it was running before. */
export async function openTab(options: TabOptions): Promise<Tab> {
  const { values, blocks, secure, storage } = options;
  const settings = await readSettings(values);
  const hash = await createTabHash(secure ? crypto.subtle : undefined);
  const store = await openTabStore({
    values: blocks,
    quotaBytes: settings.quota,
    hash: hash.whole,
  });
  const files = new FileList(values);
  await files.load();
  store.setKept(files.kept());
  const key = await identityOf(values);
  const tab = new Tab(options, { settings, hash, store, files, key });
  await tab.look(storage);
  if (settings.mode === "running") tab.begin();
  return tab;
}

interface Parts {
  readonly settings: Settings;
  readonly hash: TabHash;
  readonly store: TabStore;
  readonly files: FileList;
  readonly key: PrivateKey;
}

/** One running peer. */
export class Tab {
  readonly #options: TabOptions;
  readonly #store: TabStore;
  readonly #files: FileList;
  readonly #hash: TabHash;
  readonly #api: NodeApi;
  readonly #taker: Taker;
  readonly #meter = new Meter();
  readonly #help: HelpWord = { coming: 0, note: "" };
  readonly #bootId = randomHex(8);
  readonly #ticking: ReturnType<typeof setInterval>;
  #key: PrivateKey;
  #settings: Settings;
  #storage: { persisted: boolean | null; allowed: number | null } = {
    ...{ persisted: null, allowed: null },
  };
  #run: Run | undefined;
  #links: TabNetwork["links"] = () => [];
  #since = Date.now();

  constructor(options: TabOptions, parts: Parts) {
    this.#options = options;
    this.#store = parts.store;
    this.#files = parts.files;
    this.#hash = parts.hash;
    this.#key = parts.key;
    this.#settings = parts.settings;
    this.#api = createNodeApi(options.origin.origin);
    this.#taker = new Taker({
      store: this.#store,
      hash: this.#hash,
      api: this.#api,
      links: () => this.#links(),
      onTaken: (bytes) => this.#meter.addTaken(bytes),
    });
    this.#ticking = setInterval(() => {
      this.#meter.tick(performance.now());
      if (this.#meter.read().lateMs > 0) this.#run?.keeper.wake();
      options.onChange();
    }, 1_000);
  }

  /** Does what a page asked for. */
  async order(order: TabOrder): Promise<void> {
    switch (order.t) {
      case "start":
        return await this.#start();
      case "pause":
        await this.#end();
        return await this.#set({ mode: "paused" });
      case "forget":
        return await this.#forget();
      case "quota":
        await this.#set({ quota: Math.max(quotaMin, Math.round(order.bytes)) });
        await this.#store.resize(this.#settings.quota);
        // What rested because all was full, or whole, looks again.
        return this.#followHelp();
      case "help":
        await this.#set({ help: order.on });
        return this.#followHelp();
      case "keep":
        return this.#keep(order.name);
      case "drop":
        await this.#files.drop(order.name);
        this.#store.setKept(this.#files.kept());
        return this.#options.onChange();
      case "add":
        return await this.#add(order.name, order.file);
      case "name":
        return await this.#rename(order.was, order.name);
      default:
        return order satisfies never;
    }
  }

  /** Everything a page shows. */
  state(): TabState {
    const { blocks, bytes, quotaBytes, refused } = this.#store.use();
    const links = this.#run === undefined ? [] : this.#links();
    return {
      at: Date.now(),
      mode: this.#settings.mode,
      since: this.#since,
      peer: peerIdFromPrivateKey(this.#key).toString(),
      tabs: this.#options.tabs(),
      nodes: links.map(({ id, address, since }) => ({
        ...{ id, address, since },
        name: this.#run?.keeper.nameOf(id) ?? "a node",
      })),
      nodesKnown: Math.max(this.#run?.keeper.known ?? 0, links.length),
      trouble: this.#run?.keeper.trouble ?? null,
      ...{ blocks, bytes, quota: quotaBytes },
      ...this.#meter.read(),
      storage: { kept: this.#options.blocks.kept, ...this.#storage, refused },
      insecure: !this.#options.secure,
      help: { on: this.#settings.help, blocks: this.#store.helping, ...this.#help },
      files: this.#files.all().map((entry) =>
        showFile(entry, { store: this.#store, taker: this.#taker })
      ),
    };
  }

  /** Asks the browser what it allows and promises. */
  async look(storage: StorageManager | undefined): Promise<void> {
    if (storage === undefined || this.#options.blocks.kept === "memory") return;
    try {
      const estimate = await storage.estimate();
      this.#storage = {
        persisted: await storage.persisted(),
        allowed: estimate.quota ?? null,
      };
    } catch {
      this.#storage = { persisted: null, allowed: null }; // it does not say: nor does the page
    }
  }

  /** Dials again at once: the machine is online again, or awake. */
  wake(): void {
    this.#run?.keeper.wake();
  }

  /** Connects and begins all jobs. */
  begin(): void {
    if (this.#run !== undefined) return;
    this.#since = Date.now();
    const over = new AbortController();
    const run: Run = {
      over,
      network: undefined,
      help: undefined,
      keeper: keepNodes({
        api: this.#api,
        peer: peerIdFromPrivateKey(this.#key).toString(),
        origin: originAddress(this.#options.origin),
        reach: this.#options.reach,
        network: (permit) => this.#networkOf(run, permit),
        onChange: this.#options.onChange,
        onBeyond: (urls) => this.#tellBeyond(urls),
        now: () => performance.now(),
      }, over.signal),
    };
    this.#run = run;
    this.#followHelp();
    for (const entry of this.#files.all()) {
      if (entry.phase === "unnamed" || entry.phase === "naming") this.#work(nameFile, entry);
      else if (entry.phase !== "cutting") this.#work(keepFile, entry);
    }
    this.#options.onChange();
  }

  /** Ends everything; blocks and settings stay. */
  async stop(): Promise<void> {
    clearInterval(this.#ticking);
    await this.#end();
  }

  async #start(): Promise<void> {
    const { storage } = this.#options;
    if (this.#settings.mode !== "running") await this.#set({ mode: "running" });
    this.begin();
    try {
      await storage?.persist();
    } catch {
      // Not asked, or refused: what holds is read in look() and shown.
    }
    await this.look(storage);
    this.#options.onChange();
  }

  async #end(): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    this.#links = () => [];
    run.over.abort();
    this.#since = Date.now();
    Object.assign(this.#help, { coming: 0, note: "" });
    // A start that fails is told to who asked for it, and is not kept.
    const [started] = await Promise.allSettled([run.network?.ready]);
    if (started.status === "fulfilled") await started.value?.stop();
  }

  async #forget(): Promise<void> {
    await this.#end();
    this.#files.clear();
    await this.#store.clear();
    await this.#options.values.clear();
    this.#key = await identityOf(this.#options.values);
    await this.#set(settingsDefault);
    await this.#store.resize(settingsDefault.quota);
    this.#options.onChange();
  }

  async #set(change: Partial<Settings>): Promise<void> {
    this.#settings = { ...this.#settings, ...change };
    await writeSettings(this.#options.values, this.#settings);
    this.#options.onChange();
  }

  /** What is being cut or named lives in this worker alone, as blocks do without a database. */
  #tellBeyond(urls: readonly string[]): void {
    const isBusy = this.#files.all().some(({ phase }) => phase === "cutting" || phase === "naming");
    if (!isBusy && this.#options.blocks.kept === "indexeddb") this.#options.onBeyond(urls);
  }

  #followHelp(): void {
    const run = this.#run;
    if (run === undefined) return;
    run.help?.abort();
    run.help = undefined;
    Object.assign(this.#help, { coming: 0, note: "" });
    this.#options.onChange();
    if (!this.#settings.help) return;
    run.help = new AbortController();
    void helpPool({
      api: this.#api,
      store: this.#store,
      taker: this.#taker,
      seed: crypto.getRandomValues(new Uint32Array(1))[0] as number >>> 1,
      word: this.#help,
      onChange: this.#options.onChange,
    }, AbortSignal.any([run.over.signal, run.help.signal]));
  }

  #keep(name: string): void {
    if (this.#files.get(name) !== undefined) return;
    const entry = this.#files.add(name, "asking");
    if (entry === undefined) throw new Error(`Cannot keep file: ${filesMax} are kept already`);
    this.#work(keepFile, entry);
    this.#options.onChange();
  }

  async #add(name: string, file: File): Promise<void> {
    if (this.#files.get(name) !== undefined) await this.#files.drop(name);
    const entry = this.#files.add(name, "cutting");
    if (entry === undefined) throw new Error(`Cannot add file: ${filesMax} are here already`);
    if (this.#settings.mode !== "running") await this.#start();
    const signal = this.#signalOf(entry);
    if (signal !== undefined) await addFile(entry, file, { ports: this.#ports(), signal });
  }

  async #rename(was: string, name: string): Promise<void> {
    const old = this.#files.get(was);
    if (old?.root === undefined || old.phase !== "unnamed") return;
    const { root, size, blocks, cut } = old;
    await this.#files.drop(was);
    const entry = this.#files.add(name, "naming");
    if (entry === undefined) return;
    Object.assign(entry, { root, size, blocks, cut });
    await this.#files.save(entry);
    this.#work(nameFile, entry);
  }

  #work(job: typeof keepFile | typeof nameFile, entry: Parameters<typeof keepFile>[0]): void {
    const signal = this.#signalOf(entry);
    if (signal === undefined) return;
    job(entry, this.#ports(), signal).catch((error) => {
      entry.note = messageOf(error); // not even its own words could be saved
      this.#options.onChange();
    });
  }

  #signalOf(entry: Parameters<typeof keepFile>[0]): AbortSignal | undefined {
    const run = this.#run;
    return run && AbortSignal.any([run.over.signal, entry.over.signal]);
  }

  #ports(): AddPorts {
    return {
      api: this.#api,
      store: this.#store,
      taker: this.#taker,
      files: this.#files,
      hash: this.#hash,
      onChange: this.#options.onChange,
    };
  }

  /** The network of the permit's group: made at the first permit, made anew for another group. */
  async #networkOf(run: Run, permit: Permit): Promise<TabNetwork> {
    if (run.network?.group === permit.group) return await run.network.ready;
    const old = run.network?.ready;
    const ready = startTabNetwork({
      privateKey: this.#key,
      group: permit.group,
      bootId: this.#bootId,
      store: this.#store,
      startHash: this.#hash.start,
      loadCipher: this.#options.loadCipher,
      now: Date.now,
      onGiven: (bytes) => this.#meter.addGiven(bytes),
      onChange: this.#options.onChange,
    });
    const made = { group: permit.group, ready };
    run.network = made;
    // One that does not start is forgotten: the next permit begins anew.
    ready.catch(() => {
      if (run.network === made) run.network = undefined;
    });
    await (await old)?.stop();
    const network = await ready;
    if (this.#run === run) this.#links = network.links;
    return network;
  }
}

function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
