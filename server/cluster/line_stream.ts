// Bytes of a process's output as whole lines, so that the lines of several processes do not mix.
// A line without end is cut, so that memory stays bounded.

const lineCharactersMax = 64 * 1024;

/** A stream that takes UTF-8 bytes and gives lines without their ends. */
export function createLineStream(): TransformStream<Uint8Array, string> {
  const decoder = new TextDecoder();
  let rest = "";
  return new TransformStream({
    transform: (bytes, controller) => {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split(/\r?\n/);
      rest = lines.pop() ?? "";
      for (const line of lines) controller.enqueue(line);
      if (rest.length > lineCharactersMax) {
        controller.enqueue(rest);
        rest = "";
      }
    },
    flush: (controller) => {
      if (rest !== "") controller.enqueue(rest);
    },
  });
}
