// Loaded before a node's program: its wall clock is an hour ahead.

const hourMs = 3_600_000;
const real = Date.now;
Date.now = () => real() + hourMs;
