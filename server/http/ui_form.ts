// Fields of the dashboard's forms.

import { SkyringError } from "../../shared/base/errors.ts";
import { httpJsonBytesMax } from "../../shared/base/limits.ts";
import { checkName } from "../../shared/base/name.ts";
import { readSmall } from "./requests.ts";

/** Fields of a form. @throws {SkyringError} bad_request, too_large */
export async function readForm(request: Request): Promise<URLSearchParams> {
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/x-www-form-urlencoded") {
    throw new SkyringError("bad_request", "Cannot read form: expected URL-encoded fields");
  }
  return new URLSearchParams(new TextDecoder().decode(await readSmall(request, httpJsonBytesMax)));
}

/** A checked name. @throws {SkyringError} bad_name */
export function nameIn(fields: URLSearchParams, field: string): string {
  const check = checkName(fields.get(field) ?? "");
  if (!check.ok) throw new SkyringError("bad_name", check.message);
  return check.name;
}
