// The type that every resource adds its routes to; apart from app.ts, which imports them all.

import type { Hono } from "hono";
import type { Connection } from "./adapter.ts";

/** The HTTP app; its bindings say what the socket knows of a request. */
export type App = Hono<{ Bindings: Connection }>;
