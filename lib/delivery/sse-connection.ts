import { randomBytes } from 'node:crypto';
import type { CountedAs } from './client.js';

/** One open stream of this instance. */
export interface SseConnection {
  /** Tells this connection from all others, also from those of other instances. */
  readonly id: string;
  /** The id of the client behind it, as the option `client` tells it; `undefined` without one. */
  readonly client: string | undefined;
  /** What the option `client` tells of the client, read from JSON anew with each call. */
  readonly info: unknown;
  /** The names of its channels; none for a handler that brings a stream of its own. */
  readonly channels: readonly string[];
  readonly openedAt: Date;
}

/** What a view shows of a connection. */
interface Shown {
  /** Higher than those of all connections before it. */
  readonly number: number;
  readonly channels: readonly string[];
  /** On the clock of `monotonicNow()`. */
  readonly openedAt: number;
}

/** How many random bytes tell the connections of an instance from those of others. */
const PREFIX_BYTES = 9;

/** Shows connections to the application. Nothing is kept, as most are never shown. */
export class ConnectionViews {
  /** What the ids of this instance's connections begin with. */
  private readonly prefix = `${randomBytes(PREFIX_BYTES).toString('base64url')}.`;

  of({ number, channels, openedAt }: Shown, counted: CountedAs): SseConnection {
    const client = typeof counted === 'string' ? undefined : counted;
    return {
      id: this.prefix + number,
      client: client?.id,
      info: client?.info === undefined ? undefined : JSON.parse(client.info),
      channels,
      // Both clocks begin together, so that the date of a connection never changes.
      openedAt: new Date(performance.timeOrigin + openedAt),
    };
  }

  /** The number in the id of a connection; `undefined` for the id of another instance. */
  numberOf(id: string): number | undefined {
    const number = id.startsWith(this.prefix) ? Number(id.slice(this.prefix.length)) : NaN;
    return Number.isSafeInteger(number) ? number : undefined;
  }
}
