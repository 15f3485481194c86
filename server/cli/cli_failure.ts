// How a command ends: the exit codes that scripts rely on, and a failure that carries one.
// Problem documents of the API are turned into sentences here, with the numbers that they bring.

import { formatSize } from "../../shared/base/units.ts";

/** Exit codes of the command line client; fixed. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  /** Not enough nodes, copies or space. */
  notEnough: 4,
  notAllowed: 5,
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A command that could not be done. `problem` is what the API answered, if it did. */
export class CliFailure extends Error {
  override readonly name = "CliFailure";
  readonly exitCode: ExitCode;
  readonly problem: Readonly<Record<string, unknown>> | undefined;

  constructor(
    exitCode: ExitCode,
    message: string,
    options: { problem?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.exitCode = exitCode;
    this.problem = options.problem;
  }
}

/** The exit code of an HTTP status. @throws never */
export function exitCodeOf(status: number): ExitCode {
  if (status === 404) return exitCodes.notFound;
  if (status === 401 || status === 403) return exitCodes.notAllowed;
  return [503, 504, 507].includes(status) ? exitCodes.notEnough : exitCodes.failed;
}

/** A failure for an error answer; `body` is its text, problem+json or not. @throws never */
export function failureOf(status: number, body: string): CliFailure {
  const problem = parseProblem(body);
  const detail = textOf(problem?.["detail"]) ?? textOf(problem?.["title"]) ??
    `the node answered ${status}`;
  const facts = problem ? factsOf(problem) : [];
  const advice = adviceOf(status);
  const message = [
    facts.length > 0 ? `${detail} (${facts.join(", ")})` : detail,
    ...(advice === undefined ? [] : [advice]),
  ].join("; ");
  return new CliFailure(exitCodeOf(status), message, problem ? { problem } : {});
}

function parseProblem(body: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
      ? parsed as Record<string, unknown>
      : undefined;
  } catch {
    return undefined; // an answer of something that is no Skyring node
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function factsOf(problem: Readonly<Record<string, unknown>>): string[] {
  const facts: string[] = [];
  const { needed, have, limit, freeBytes } = problem;
  if (typeof needed === "number" && typeof have === "number") {
    facts.push(`needed ${needed}, have ${have}`);
  }
  if (typeof limit === "number") facts.push(`limit ${limit}`);
  if (typeof freeBytes === "number") facts.push(`${formatSize(freeBytes)} free`);
  return facts;
}

function adviceOf(status: number): string | undefined {
  if (status === 401) return "give the admin token with --token";
  return status === 507 ? "make room, or add a node" : undefined;
}
