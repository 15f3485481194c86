// /metrics: what the status, the netmap and the HTTP server itself show, as Prometheus families,
// beside those that the engines add.

import type { Liveness, StatusSnapshot } from "../../shared/status.ts";
import type { App } from "./routes.ts";
import { type MetricFamily, type MetricSample, metricsText } from "./metrics_text.ts";
import { textResponse } from "./responses.ts";
import type { Services } from "./services.ts";

/** Counts answers by method and status, few of both. */
export interface RequestCounter {
  count(method: string, status: number): void;
  family(): MetricFamily;
}

const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]);
const states: readonly Liveness[] = ["alive", "suspect", "dead", "left"];

/** A counter that starts at zero. @throws never */
export function createRequestCounter(): RequestCounter {
  const counts = new Map<string, number>();
  return {
    count(method, status) {
      const key = `${methods.has(method) ? method : "other"} ${status}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    family() {
      const samples: MetricSample[] = [...counts].map(([key, value]) => {
        const [method = "", status = ""] = key.split(" ");
        return { labels: { method, status }, value };
      });
      const help = "HTTP answers by method and status";
      return { name: "skyring_http_requests_total", help, type: "counter", samples };
    },
  };
}

/** Adds the route. @throws never */
export function routeMetrics(
  app: App,
  options: { readonly services: Services; readonly counter: RequestCounter },
): void {
  const { services, counter } = options;
  app.get("/metrics", () => {
    const families = [
      ...statusFamilies(services.status()),
      nodesFamily(services),
      readyFamily(services),
      ...connectionFamilies(services),
      counter.family(),
      ...(services.metrics?.() ?? []),
    ];
    return textResponse(metricsText(families), { type: "text/plain; version=0.0.4" });
  });
}

function statusFamilies(status: StatusSnapshot): readonly MetricFamily[] {
  return [
    gauge("skyring_capacity_bytes", "Block bytes offered to the pool", status.capacity),
    gauge("skyring_used_bytes", "Block bytes held", status.used),
    gauge("skyring_metadata_bytes", "Bytes of records, inner blocks and log", status.metadata),
    {
      name: "skyring_blocks",
      help: "Blocks by state",
      type: "gauge",
      samples: (["held", "wanted", "surplus"] as const)
        .map((state) => ({ labels: { state }, value: status.blocks[state] })),
    },
    {
      name: "skyring_phase",
      help: "1 for the present phase",
      type: "gauge",
      samples: [{ labels: { phase: status.phase.phase }, value: 1 }],
    },
    gauge("skyring_roster_epoch", "Epoch of the roster", status.roster.epoch),
    gauge("skyring_roster_members", "Nodes in the roster", status.roster.members),
    gauge("skyring_writable", "1 while writes can be decided", status.writable ? 1 : 0),
    gauge("skyring_start_time_seconds", "Unix time of the start", status.startedAt / 1_000),
    {
      name: "skyring_worker_running",
      help: "1 while a background loop runs or waits, 0 while it is paused or failed",
      type: "gauge",
      samples: status.workers.map((worker) => ({
        labels: { worker: worker.name },
        value: worker.state === "running" || worker.state === "idle" ? 1 : 0,
      })),
    },
  ];
}

function nodesFamily(services: Services): MetricFamily {
  const nodes = services.nodes();
  const samples = states.map((state) => ({
    labels: { state },
    value: nodes.filter((node) => node.state === state).length,
  }));
  return { name: "skyring_nodes", help: "Nodes of the netmap by state", type: "gauge", samples };
}

/** Connections by role; tabs by their own number, since one may have two connections. */
function connectionFamilies({ peers, tabs }: Services): readonly MetricFamily[] {
  if (peers === undefined) return [];
  const open = peers();
  const samples = (["member", "tab", "stranger"] as const).map((role) => ({
    labels: { role },
    value: open.filter((peer) => peer.role === role).length,
  }));
  const help = "Open connections by role of the peer";
  const here = new Set(open.filter(({ role }) => role === "tab").map(({ id }) => id)).size;
  return [
    { name: "skyring_connections", help, type: "gauge", samples },
    ...(tabs === undefined ? [] : [
      gauge("skyring_tabs", "Tabs connected to this node", here),
      gauge("skyring_tabs_max", "Tabs that this node lets in at once", tabs.max),
    ]),
  ];
}

function readyFamily(services: Services): MetricFamily {
  return gauge("skyring_ready", "1 once joined and writable", services.ready().ready ? 1 : 0);
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, help, type: "gauge", samples: [{ value }] };
}
