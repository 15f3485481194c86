// Numbers, times and commands as people read them. Times are coarse on purpose: the same state a
// minute later gives the same words, so that an unchanged page answers 304.

import { formatDuration, formatSize } from "../../shared/base/units.ts";

/** A whole number with thousands apart: `12,345`. @throws never */
export function whole(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** `1 block`, `12,345 blocks`. @throws never */
export function counted(count: number, noun: string): string {
  if (count === 1) return `1 ${noun}`;
  return `${whole(count)} ${noun.endsWith("y") ? `${noun.slice(0, -1)}ie` : noun}s`;
}

/** A share of 0 to 1 as `42 %`; never rounded to none or to all. @throws never */
export function percent(share: number): string {
  if (share > 0 && share < .01) return "under 1 %";
  if (share < 1 && share > .99) return "99 %";
  return `${Math.round(share * 100)} %`;
}

/** `3.2 of 30 GB` when both have one unit, else `312 MB of 30 GB`. @throws never */
export function sizeOf(part: number, total: number): string {
  const [amount = "", unit] = formatSize(part).split(" ");
  const text = formatSize(total);
  return text.endsWith(` ${unit}`) ? `${amount} of ${text}` : `${formatSize(part)} of ${text}`;
}

/** How long since, in one unit from a minute on: `9 s`, `4 m`, `6 d`. @throws never */
export function sinceText(ms: number): string {
  const [first = "0", unit = "s"] = formatDuration(Math.max(1_000, ms)).split(" ");
  const names: Record<string, string> = { m: "min", d: Number(first) === 1 ? "day" : "days" };
  return `${first} ${names[unit] ?? unit}`;
}

// Formatting by locale costs a tenth of a millisecond each: a page has hundreds of times.
const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** The exact time, for hover: `21 Nov 2026, 09:14:02 UTC`. @param at ms since the epoch */
export function exactTime(at: number): string {
  const date = new Date(at);
  const month = months[date.getUTCMonth()];
  const clock = date.toISOString().slice(11, 19);
  return `${date.getUTCDate()} ${month} ${date.getUTCFullYear()}, ${clock} UTC`;
}

/** Words that hold times as machines write them, with those as people read them. @throws never */
export function withTimes(text: string): string {
  return text.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (time) => {
    const at = Date.parse(time);
    return Number.isNaN(at) ? time : exactTime(at);
  });
}

/** A list as people say it: `a`, `a and b`, `a, b and c`. @throws never */
export function listed(items: readonly string[]): string {
  if (items.length < 2) return items[0] ?? "";
  return `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/** A round trip in steps that do not change with every probe. @throws never */
export function roundTrip(ms: number | null): string {
  if (ms === null) return "not measured";
  return ms < 1 ? "under 1 ms" : `${whole(ms)} ms`;
}

/** A command to copy; arguments that a shell would read are quoted. @throws never */
export function cliCommand(verb: string, args: readonly string[] = []): string {
  const quoted = args.map((text) =>
    /^[\w./:@%+=,-]+$/.test(text) && !text.startsWith("-")
      ? text
      : `'${text.replaceAll("'", `'\\''`)}'`
  );
  return ["deno task cli", verb, ...quoted].join(" ");
}

/** The address of another node's dashboard, when what it says of itself is one. @throws never */
export function dashboardOf(http: string | null): string | undefined {
  return http !== null && /^https?:\/\/[^\s/]+$/i.test(http) ? `${http}/` : undefined;
}
