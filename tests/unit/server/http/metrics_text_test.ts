import assert from "node:assert/strict";
import { metricsText } from "../../../../server/http/metrics_text.ts";

Deno.test("metricsText() escapes text and writes numbers as Prometheus reads them", () => {
  const text = metricsText([{
    name: "skyring_x",
    help: "one\\two\nthree",
    type: "gauge",
    samples: [
      { value: 1.5e300 },
      { value: Infinity, labels: { worker: 'a"b\\c\nd', state: "s" } },
      { value: NaN },
    ],
  }]);
  assert.equal(
    text,
    "# HELP skyring_x one\\\\two\\nthree\n# TYPE skyring_x gauge\nskyring_x 1.5e+300\n" +
      'skyring_x{worker="a\\"b\\\\c\\nd",state="s"} +Inf\nskyring_x NaN\n',
  );
});
