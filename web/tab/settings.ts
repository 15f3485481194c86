// What somebody chose for this tab, kept beside its identity.

import * as v from "valibot";
import { GiB, MiB } from "../../shared/base/limits.ts";
import type { KeyValues } from "./key_values.ts";

/** Bytes that a tab may keep, at least. */
export const quotaMin: number = 16 * MiB;
const settingsKey = "settings";
const settingsShape = v.object({
  mode: v.picklist(["off", "running", "paused"]),
  help: v.boolean(),
  quota: v.pipe(v.number(), v.minValue(quotaMin)),
});

/** `quota` in bytes. */
export type Settings = v.InferOutput<typeof settingsShape>;

/** Of a tab that nobody asked anything yet. */
export const settingsDefault: Settings = { mode: "off", help: true, quota: 1 * GiB };

/** What was chosen last; the default before, and for what cannot be read. */
export async function readSettings(values: KeyValues): Promise<Settings> {
  const settings = v.safeParse(settingsShape, await values.get(settingsKey));
  return settings.success ? settings.output : settingsDefault;
}

/** Keeps a choice. @throws as KeyValues.setMany() */
export async function writeSettings(values: KeyValues, settings: Settings): Promise<void> {
  await values.setMany([[settingsKey, settings]]);
}
