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

/** Runs axe, which is in the page already: a line for each fault. */
export const axeFaults = `axe.run(document, { iframes: false, resultTypes: ["violations"] })
  .then(({ violations }) => violations.map(({ id, nodes }) =>
    id + ": " + nodes[0].html.slice(0, 160) + " " + nodes[0].failureSummary.slice(0, 300)))`;
