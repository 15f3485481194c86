// Prometheus text exposition, version 0.0.4. A label's values must come from a small fixed set:
// a CID, a peer id or a file name as a label would make a new series for each, without end.
// Source: prometheus.io/docs/instrumenting/exposition_formats

/** One metric with its samples. */
export interface MetricFamily {
  /** `skyring_...`, with the unit and `_total` for counters. */
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  readonly value: number;
  readonly labels?: Readonly<Partial<Record<MetricLabel, string>>>;
}

/** The only labels there are; each has few values. */
export type MetricLabel =
  | "state"
  | "kind"
  | "direction"
  | "method"
  | "status"
  | "worker"
  | "phase"
  | "role";

/** The families as text, in the given order. @throws never */
export function metricsText(families: readonly MetricFamily[]): string {
  return families.map(familyText).join("");
}

function familyText(family: MetricFamily): string {
  const head = `# HELP ${family.name} ${escapeHelp(family.help)}\n` +
    `# TYPE ${family.name} ${family.type}\n`;
  return head + family.samples.map((sample) => sampleText(family.name, sample)).join("");
}

function sampleText(name: string, sample: MetricSample): string {
  const labels = Object.entries(sample.labels ?? {})
    .map(([label, value]) => `${label}="${escapeLabel(value)}"`);
  const braces = labels.length === 0 ? "" : `{${labels.join(",")}}`;
  return `${name}${braces} ${numberText(sample.value)}\n`;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
