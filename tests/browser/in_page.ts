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

/**
 * Makes a film of noise, one picture a second, each of which stands alone, and stores it under
 * the path: `{ path, seconds }`. The browser encodes; WebM is put together here, its index first,
 * so that a seek knows where to read. @returns its bytes
 */
export const storeFilm = `async ({ path, seconds }) => {
  const [width, height] = [320, 240];
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d");
  const frames = [];
  const failures = [];
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      frames.push(bytes);
    },
    error: (error) => failures.push(error),
  });
  encoder.configure({ codec: "vp8", width, height, bitrate: 1.6e6, framerate: 1 });
  const image = pen.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  for (let second = 0; second < seconds; second++) {
    for (let at = 0; at < words.length; at++) words[at] = 0xff000000 | Math.random() * 0xffffff;
    pen.putImageData(image, 0, 0);
    const frame = new VideoFrame(canvas, { timestamp: second * 1e6 });
    encoder.encode(frame, { keyFrame: true });
    frame.close();
  }
  await encoder.flush();
  if (failures.length > 0) throw failures[0];

  const join = (parts) => {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
    return whole;
  };
  const number = (value, bytes = 8) => {
    const all = new Uint8Array(8);
    new DataView(all.buffer).setBigUint64(0, BigInt(value));
    return all.slice(8 - bytes);
  };
  const float = (value) => {
    const all = new Uint8Array(8);
    new DataView(all.buffer).setFloat64(0, value);
    return all;
  };
  const text = (words) => new TextEncoder().encode(words);
  // Every size has eight bytes, so that positions are known before they are written.
  const element = (id, ...parts) => {
    const body = join(parts);
    const name = id.match(/../g).map((hex) => parseInt(hex, 16));
    return join([new Uint8Array(name), new Uint8Array([1]), number(body.length, 7), body]);
  };
  const head = element("1A45DFA3", element("4286", number(1)), element("42F7", number(1)),
    element("42F2", number(4)), element("42F3", number(8)), element("4282", text("webm")),
    element("4287", number(2)), element("4285", number(2)));
  const info = element("1549A966", element("2AD7B1", number(1e6)),
    element("4489", float(seconds * 1000)), element("4D80", text("s")), element("5741", text("s")));
  const tracks = element("1654AE6B", element("AE", element("D7", number(1)),
    element("73C5", number(1)), element("83", number(1)), element("86", text("V_VP8")),
    element("E0", element("B0", number(width)), element("BA", number(height)))));
  const clusters = frames.map((frame, second) => element("1F43B675",
    element("E7", number(second * 1000)),
    element("A3", new Uint8Array([0x81, 0, 0, 0x80]), frame)));
  const cuesOf = (positions) => element("1C53BB6B", ...positions.map((at, second) =>
    element("BB", element("B3", number(second * 1000)),
      element("B7", element("F7", number(1)), element("F1", number(at))))));
  let at = info.length + tracks.length + cuesOf(clusters.map(() => 0)).length;
  const positions = clusters.map(({ length }) => (at += length) - length);
  const film = join([head, element("18538067", info, tracks, cuesOf(positions), ...clusters)]);
  const answer = await fetch(path, { method: "PUT", body: film });
  if (answer.status !== 201) throw new Error(await answer.text());
  return film.length;
}`;

/** Pixels that the page is wider than the window. */
export const overflow =
  "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/** What is cut at the right, or can only be scrolled to: navigation, stacked rows, commands. */
export const cutOff = `[...document.querySelectorAll(".nav ul, .table-stack tbody tr, .cmd code")]
  .filter((each) => each.scrollWidth > each.clientWidth)
  .concat([...document.querySelectorAll(".nav a, .table-stack td, .cmd")].filter((each) =>
    each.getBoundingClientRect().right > innerWidth - 8))
  .map((each) => each.textContent.slice(0, 80))`;

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
