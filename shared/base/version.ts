// Which program this is, and which of the pool's protocols it speaks. Nodes of one pool must speak
// the same: admission compares the number, people read the version.

/** Version of the program, for people. */
export const version = "0.1.0";
/** Grows by one with every change that nodes of the version before do not understand. */
export const protocolVersion = 2;
