// Assertions for bugs, kept on in production: a state that cannot be must stop the step
// that made it, not be carried to disk or to a peer. Expected outcomes are returned unions
// and I/O failures are SkyringErrors; neither belongs here.

/** Stops a step whose premises do not hold. @throws {AssertionError} when `truth` is false */
export function assert(truth: boolean, message: string): asserts truth {
  if (!truth) throw new AssertionError(message);
}

/** A bug in Skyring itself, never bad input. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}
