// Names of the protocols of a group, as nodes and tabs negotiate them.

/** The protocol of one channel, or of blocks: `/skyring/<group>/<name>/1.0.0`. @throws never */
export function channelProtocol(group: string, name: string): string {
  return `/skyring/${group}/${name}/1.0.0`;
}
