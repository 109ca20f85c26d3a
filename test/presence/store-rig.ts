import type { PresenceSeat, PresenceSink, PresenceStore } from '../../lib/channel/presence.js';
import type { SourceEvent } from '../../lib/channel/source.js';

/** Records what a store tells its instance. */
export class RecordingSink implements PresenceSink {
  readonly told: string[] = [];
  losses = 0;

  occupied(channel: string): void {
    this.told.push(`occupied ${channel}`);
  }

  vacated(channel: string): void {
    this.told.push(`vacated ${channel}`);
  }

  lost(): void {
    this.losses++;
  }
}

/** A store as one instance uses it, without the rest of the instance. */
export interface StoreInstance {
  readonly store: PresenceStore;
  readonly sink: RecordingSink;
  /** The events of a channel from now on. */
  events(channel: string): Promise<readonly SourceEvent[]>;
}

let revision = 0;

/** A seat, of one connection unless more is said. */
export function seat(
  channel: string,
  client: string | undefined,
  more: Partial<PresenceSeat> = {},
): PresenceSeat {
  return {
    channel,
    client,
    info: undefined,
    since: 1_764_000_000_000,
    connections: 1,
    isAnnounced: true,
    revision: ++revision,
    ...more,
  };
}

/** What events tell: the type, the client and the info. */
export function toldBy(events: readonly SourceEvent[]): string[] {
  return events.map(({ type, data }) => {
    const { id, info } = JSON.parse(data) as { id: string; info?: unknown };
    return `${type?.slice(4)} ${id}${info === undefined ? '' : ` ${JSON.stringify(info)}`}`;
  });
}
