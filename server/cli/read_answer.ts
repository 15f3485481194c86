// Answers of the API as the client needs them: checked by a schema, and what does not fit is a
// failure that names the field.

import * as v from "valibot";
import { CliFailure, exitCodes } from "./cli_failure.ts";

/** `value` as the schema says. @throws {CliFailure} failed */
export function readAnswer<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new CliFailure(
    exitCodes.failed,
    `Cannot read the answer: ${v.getDotPath(issue) ?? "it"} is not as expected`,
  );
}
