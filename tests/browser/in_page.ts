// What journeys do inside the page, as text: it runs in the browser, whose types the tests do
// not have. Each is a function of one argument.

/** Drops files on the page: `{ name, text }`, or `{ name, bytes }` of random content. */
export const dropFiles = `(files) => {
  const transfer = new DataTransfer();
  for (const { name, text, bytes = 0 } of files) {
    const content = new Uint8Array(bytes);
    const part = 65536; // the most that getRandomValues gives at once
    for (let at = 0; at < bytes; at += part) {
      crypto.getRandomValues(content.subarray(at, Math.min(bytes, at + part)));
    }
    transfer.items.add(new File([text ?? content], name));
  }
  const init = { dataTransfer: transfer, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new DragEvent("drop", init));
}`;

/** Pixels that the page is wider than the window. */
export const overflow =
  "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/** Runs axe, which is in the page already: how much it looked at, and a line for each fault. */
export const axeFaults = `axe.run(document, { iframes: false })
  .then(({ violations, passes }) => ({
    passes: passes.length,
    faults: violations.map(({ id, nodes }) =>
      id + ": " + nodes[0].html.slice(0, 160) + " " + nodes[0].failureSummary.slice(0, 300)),
  }))`;

const visibility = (hidden: boolean) => `
  Object.defineProperty(document, "hidden", { configurable: true, get: () => ${hidden} });
  document.dispatchEvent(new Event("visibilitychange"));`;

/** What the page sees when its tab goes to the background, and when it comes back. */
export const hide = visibility(true);
export const show = visibility(false);
