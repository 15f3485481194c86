// What the system says of a process: CPU time and memory, from /proc. Linux only, as the bench.

const ticksPerSecond = 100;

/** User and system seconds of all threads of a process so far. */
export function cpuSecondsOf(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name in parentheses may hold blanks: fields are counted behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Largest resident size of a process so far, in bytes. */
export function peakBytesOf(pid: number): number {
  return statusBytes(pid, "VmHWM");
}

/** Resident size of a process now, in bytes. */
export function residentBytesOf(pid: number): number {
  return statusBytes(pid, "VmRSS");
}

function statusBytes(pid: number, field: string): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? NaN) * 1024;
}
