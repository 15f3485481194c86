// The last events in words: who came and went, what was stored and removed, what this node did.

import type { NodeSnapshot } from "../../shared/status.ts";
import { type Sign, signOfWord } from "../charts/glyph.ts";
import { Ago, Glyph } from "./picture.tsx";
import type { PoolEvent, PoolView } from "./pool_view.ts";
import { counted } from "./words.ts";

interface Said {
  readonly sign: Sign;
  readonly subject: string;
  readonly href: string | null;
  readonly words: string;
}

const eventsMax = 12;

/** The events, newest first. */
export function EventList({ view }: { readonly view: PoolView }) {
  const said = grouped(view.events).flatMap(({ event, count }) => {
    const words = count > 1 ? manySentence(event, count) : sentenceOf(event, view);
    return words === undefined ? [] : [{ ...words, at: event.at }];
  }).slice(0, eventsMax);
  if (said.length === 0) {
    return <p class="caption">Nothing has happened since this node started.</p>;
  }
  return (
    <ol class="events">
      {said.map(({ sign, subject, href, words, at }) => (
        <li>
          <Glyph sign={sign} />
          <span class="said">
            <b>{href === null ? subject : <a href={href}>{subject}</a>}</b> {words}
          </span>
          <Ago at={at} now={view.now} />
        </li>
      ))}
    </ol>
  );
}

/** Runs of files stored or removed in one folder as one event, the newest of them. */
function grouped(events: readonly PoolEvent[]): { event: PoolEvent; count: number }[] {
  const groups: { event: PoolEvent; count: number }[] = [];
  for (const event of events) {
    const last = groups.at(-1);
    if (last !== undefined && isLike(last.event, event)) last.count++;
    else groups.push({ event, count: 1 });
  }
  return groups;
}

function isLike(one: PoolEvent, other: PoolEvent): boolean {
  return one.kind === "file" && other.kind === "file" &&
    one.data["deleted"] === other.data["deleted"] && folderOf(one) === folderOf(other);
}

function folderOf({ data }: PoolEvent): string {
  const name = String(data["name"] ?? "");
  return name.slice(0, name.lastIndexOf("/") + 1);
}

function manySentence(event: PoolEvent, count: number): Said {
  const folder = folderOf(event);
  const deleted = event.data["deleted"] === true;
  return {
    sign: deleted ? "leaving" : "seeding",
    subject: folder === "" ? counted(count, "file") : folder,
    href: folder === "" ? "/ui/files" : `/ui/files?${new URLSearchParams({ prefix: folder })}`,
    words: `${folder === "" ? "were" : `: ${counted(count, "file")}`} ${
      deleted ? "removed" : "stored"
    }.`,
  };
}

function sentenceOf(event: PoolEvent, view: PoolView): Said | undefined {
  const { data } = event;
  switch (event.kind) {
    case "member":
      return memberSentence(data, view.nodes);
    case "file": {
      const name = String(data["name"] ?? "");
      return data["deleted"] === true
        ? { sign: "leaving", subject: name, href: null, words: "was removed." }
        : { sign: "seeding", subject: name, href: fileHref(name), words: "was stored." };
    }
    case "phase": {
      const words = `${String(data["phase"] ?? "")}: ${String(data["because"] ?? "")}.`;
      const sign = signOfWord(data["phase"]);
      return { sign, subject: view.status.name, href: "/ui/nodes", words };
    }
    default:
      return undefined;
  }
}

function memberSentence(
  data: Readonly<Record<string, unknown>>,
  nodes: readonly NodeSnapshot[],
): Said | undefined {
  const members = data["members"];
  if (typeof members === "number") {
    const subject = `Epoch ${String(data["epoch"])}`;
    return {
      sign: "joining",
      subject,
      href: "/ui/ring",
      words: `${counted(members, "node")} in the roster.`,
    };
  }
  const id = String(data["id"] ?? "");
  const subject = nodes.find((node) => node.id === id)?.name ?? `${id.slice(0, 12)}…`;
  const href = "/ui/nodes";
  switch (data["state"]) {
    case "alive":
      return { sign: "seeding", subject, href, words: "answers." };
    case "suspect":
      return { sign: "suspect", subject, href, words: "does not answer; others are asked." };
    case "dead":
      return { sign: "dead", subject, href, words: "is dead: nobody gets an answer from it." };
    case "left":
      return { sign: "stopped", subject, href, words: "said goodbye." };
    default:
      return undefined;
  }
}

/** Address of a file's page. @throws never */
export function fileHref(name: string): string {
  return `/ui/file?name=${encodeURIComponent(name)}`;
}
