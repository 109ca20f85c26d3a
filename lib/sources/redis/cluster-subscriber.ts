import { backoff } from '../../channel/backoff.js';
import { hashSlot } from './hash-slot.js';
import { callRedis } from './redis-call.js';
import type { RedisNode, RedisClient } from './redis-option.js';
import {
  SubscriberConnection,
  type SubscriberEvents,
  type SubscriberSettings,
} from './subscriber-connection.js';
import { SUBSCRIBER_OPTIONS } from './subscriber-options.js';

/** How often we look up the owners of the slots without a sign of change. */
const REFRESH_MS = 10_000;
/** The pause before we look them up after a sign of change, and after a failed lookup. */
const SOON = { first: 100, most: 2_000 };

/** A range of slots in the reply to CLUSTER SLOTS: its first, its last, their master, the replicas. */
type SlotRange = readonly [first: number, last: number, master: readonly [string, number]];

/**
 * The subscriptions in a Cluster. With sharded pub/sub we subscribe to each channel at the node that
 * holds its slot. Otherwise every node gets every message, and one node serves all channels; the
 * connections to the others only show that a node was lost, and with it perhaps what was written there.
 */
export class ClusterSubscriber {
  private readonly connections = new Map<string, SubscriberConnection>();
  private readonly nodeOfChannel = new Map<string, string>();
  private readonly unplaced = new Set<string>();
  private owners: readonly { readonly last: number; readonly node: string }[] = [];
  private readonly timer: NodeJS.Timeout;
  private soon: NodeJS.Timeout | undefined;
  private refreshing = false;
  private attempt = 0;
  private stopped = false;

  constructor(
    /** The application's client, through which commands go. */
    private readonly cluster: RedisClient,
    private readonly settings: Omit<SubscriberSettings, 'address'>,
    private readonly events: Omit<SubscriberEvents, 'moved'>,
  ) {
    this.timer = setInterval(() => void this.refresh(), REFRESH_MS);
    this.timer.unref();
    void this.refresh();
  }

  add(channel: string): void {
    this.unplaced.add(channel);
    this.place(channel);
  }

  remove(channel: string): void {
    this.unplaced.delete(channel);
    const node = this.nodeOfChannel.get(channel);
    this.nodeOfChannel.delete(channel);
    this.connections.get(node ?? '')?.remove(channel);
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
    clearTimeout(this.soon);
    this.connections.forEach((connection) => connection.stop());
  }

  private refreshSoon(): void {
    if (!this.stopped) {
      this.soon ??= setTimeout(
        () => {
          this.soon = undefined;
          void this.refresh();
        },
        backoff(this.attempt, SOON),
      ).unref();
    }
  }

  private async refresh(): Promise<void> {
    if (this.refreshing || this.stopped) {
      return;
    }
    this.refreshing = true;
    try {
      const ranges = (await callRedis(this.cluster, 'CLUSTER', 'SLOTS')) as readonly SlotRange[];
      this.owners = ranges
        .map(([, last, [host, port]]) => ({ last: Number(last), node: `${host}:${port}` }))
        .sort((a, b) => a.last - b.last);
      this.attempt = 0;
    } catch {
      this.refreshSoon();
      this.attempt++;
      return;
    } finally {
      this.refreshing = false;
    }
    if (this.stopped) {
      return;
    }
    this.dropConnections();
    if (!this.settings.sharded) {
      this.owners.forEach(({ node }) => this.connectionTo(node));
    }
    for (const channel of [...this.nodeOfChannel.keys(), ...this.unplaced]) {
      this.place(channel);
    }
  }

  /** Closes the connections to nodes that no longer hold slots. */
  private dropConnections(): void {
    const nodes = new Set(this.owners.map(({ node }) => node));
    for (const [node, connection] of this.connections) {
      if (!nodes.has(node)) {
        connection.stop();
        this.connections.delete(node);
      }
    }
  }

  private place(channel: string): void {
    const node = this.ownerOf(channel);
    const before = this.nodeOfChannel.get(channel);
    const connection = node === undefined ? undefined : this.connectionTo(node);
    if (!connection) {
      this.unplaced.add(channel);
      this.refreshSoon();
      return;
    }
    if (before === node && connection.channels.has(channel)) {
      return;
    }
    this.connections.get(before ?? '')?.remove(channel);
    this.unplaced.delete(channel);
    this.nodeOfChannel.set(channel, node!);
    connection.add(channel);
  }

  private ownerOf(channel: string): string | undefined {
    if (!this.settings.sharded) {
      return this.connections.keys().next().value ?? this.owners[0]?.node;
    }
    const slot = hashSlot(channel);
    return this.owners.find(({ last }) => slot <= last)?.node;
  }

  private connectionTo(node: string): SubscriberConnection | undefined {
    const known = this.connections.get(node);
    if (known) {
      return known;
    }
    const client = this.clientFor(node);
    if (!client) {
      return undefined;
    }
    const events: SubscriberEvents = { ...this.events, moved: () => this.refreshSoon() };
    const connection = new SubscriberConnection(
      client,
      { ...this.settings, address: node },
      events,
    );
    this.connections.set(node, connection);
    return connection;
  }

  /** A client for this node, with the credentials and TLS settings of the Cluster client. */
  private clientFor(node: string): RedisClient | undefined {
    const cluster = this.cluster as RedisClient & { nodes(role: 'all'): readonly RedisNode[] };
    const [sample] = cluster.nodes('all');
    const colon = node.lastIndexOf(':');
    const { host, port } = this.mapped(node) ?? {
      host: node.slice(0, colon),
      port: Number(node.slice(colon + 1)),
    };
    return sample?.duplicate({ ...SUBSCRIBER_OPTIONS, host, port });
  }

  private mapped(node: string): { host: string; port: number } | undefined {
    const { natMap } = (this.cluster.options ?? {}) as {
      natMap?:
        | Record<string, { host: string; port: number }>
        | ((key: string) => { host: string; port: number } | null);
    };
    return (typeof natMap === 'function' ? natMap(node) : natMap?.[node]) ?? undefined;
  }
}
