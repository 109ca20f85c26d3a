import type { Peer } from './peer.js';

/** The peers in the order in which tables and charts show them. */
export const PEERS = {
  floor: 'floor',
  'write-per-event': 'one response.write per event',
  nest: 'Nest @Sse() with a Subject',
  'better-sse': 'better-sse',
  nchan: 'nginx + nchan',
  ours: 'nestjs-sse-channels',
} as const;

export type PeerName = keyof typeof PEERS;

/** Loads a peer's file; only then are its packages needed. */
export async function loadPeer(name: string): Promise<Peer> {
  const module = (await import(`./${name}.js`)) as { peer: Peer };
  return module.peer;
}
