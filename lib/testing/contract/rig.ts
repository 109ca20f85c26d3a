import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Subscription } from 'rxjs';
import type { ChannelSink, ChannelSource, SourceEvent, SseLogger } from '../../channel/source.js';
import { RESET_TYPE } from '../../channel/reset-event.js';
import type { SseEvent } from '../../channel/sse-event.js';
import { Delivery } from '../../delivery/delivery.js';

/** One case of a contract, for any test runner: `it(name, run)`. */
export interface ContractTest {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** A log for sources under test. The contract does not look at it. */
export const SILENT_LOG: SseLogger = {
  log: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export async function until(
  holds: () => boolean | Promise<boolean>,
  what: () => string,
  timeout: number,
): Promise<void> {
  const end = performance.now() + timeout;
  while (!(await holds())) {
    if (performance.now() > end) {
      throw new Error(`After ${timeout} ms: ${what()}.`);
    }
    await sleep(2);
  }
}

/** One client, with the events that it has received. */
export class ContractReader {
  readonly events: SseEvent[] = [];
  isComplete = false;
  error: unknown;
  private readonly subscription: Subscription;

  constructor(delivery: Delivery, source: ChannelSource, channel: string, lastEventId?: string) {
    this.subscription = delivery.observe([{ source, name: channel }], lastEventId).subscribe({
      next: (event) => void this.events.push(event),
      complete: () => void (this.isComplete = true),
      error: (error: unknown) => void (this.error = error),
    });
  }

  /** The data of the events, without resets. */
  get data(): string[] {
    return this.events.filter(({ type }) => type !== RESET_TYPE).map(({ data }) => String(data));
  }

  /** The reasons of all resets so far. */
  get resets(): string[] {
    return this.events
      .filter(({ type }) => type === RESET_TYPE)
      .map(({ data }) => (data as { reason: string }).reason);
  }

  leave(): void {
    this.subscription.unsubscribe();
  }
}

const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/** The core, as an application runs it, around the source under test. */
export class ContractRig {
  readonly delivery: Delivery;
  private readonly readers: ContractReader[] = [];
  private readonly watched = new WeakMap<ChannelSource, ChannelSource>();
  /** What `append()` has thrown at sources: most leave such an event out. */
  private readonly refused: string[] = [];

  constructor(private readonly timeout: number) {
    this.delivery = new Delivery(
      {
        retain: { events: 10_000, bytes: 64 * 1_048_576, age: 3_600_000 },
        linger: 0,
        readyTimeout: timeout,
        maxChannels: NO_LIMIT,
        eventSize: 1_048_576,
        lastEventIdLength: 8_192,
        retry: 3_000,
        heartbeat: 0,
        stallTimeout: 0,
        maxAge: 0,
        drainTimeout: 0,
        maxConnections: NO_LIMIT,
        maxConnectionsPerClient: NO_LIMIT,
      },
      SILENT_LOG,
    );
  }

  /** Reads a channel, and waits until its source is listening. */
  async read(
    source: ChannelSource,
    channel: string,
    lastEventId?: string,
  ): Promise<ContractReader> {
    const reader = new ContractReader(this.delivery, this.watch(source), channel, lastEventId);
    this.readers.push(reader);
    const isReady = (): boolean =>
      reader.error !== undefined ||
      reader.isComplete ||
      [...this.delivery.channels.channels].some(({ name, ready }) => name === channel && ready);
    await until(isReady, () => 'the source has not called live()', this.timeout);
    if (reader.error !== undefined) {
      throw reader.error as Error;
    }
    // A client that has waited for the source is placed one turn later.
    await sleep(5);
    return reader;
  }

  /** Waits until a reader has received exactly these data, in this order. */
  async received(reader: ContractReader, expected: readonly string[]): Promise<void> {
    await until(
      () => reader.data.length >= expected.length,
      () => `${reader.data.length} of ${expected.length} events came, ${this.seen(reader)}`,
      this.timeout,
    );
    // An event that comes twice comes soon.
    await sleep(20);
    const { data } = reader;
    const at = data.findIndex((text, index) => text !== expected[index]);
    if (at >= 0) {
      throw new Error(
        `Event ${at} should be ${JSON.stringify(expected[at])} and is ${JSON.stringify(data[at])}: ` +
          'events are lost, repeated or out of order.',
      );
    }
  }

  /**
   * Waits until a reader has received the last of these data. The others may be missing only after
   * a reset. None may come twice or out of order; further data may come.
   */
  async receivedOrTold(reader: ContractReader, expected: readonly string[]): Promise<void> {
    const last = expected.at(-1)!;
    await until(
      () => reader.data.at(-1) === last,
      () => `${JSON.stringify(last)} did not come, ${this.seen(reader)}`,
      this.timeout,
    );
    const data = reader.data.filter((text) => expected.includes(text));
    let at = -1;
    for (const text of data) {
      const next = expected.indexOf(text);
      if (next <= at) {
        throw new Error(`${JSON.stringify(text)} came twice or out of order.`);
      }
      at = next;
    }
    if (data.length < expected.length && reader.resets.length === 0) {
      throw new Error(
        `${expected.length - data.length} of ${expected.length} events are lost without a reset.`,
      );
    }
  }

  /** Waits for a reset, and checks its reason. */
  async told(reader: ContractReader, allowed: readonly string[]): Promise<void> {
    await until(
      () => reader.resets.length > 0,
      () => 'no reset came, so clients do not learn that events may be missing',
      this.timeout,
    );
    const [reason] = reader.resets;
    if (!allowed.includes(reason!)) {
      throw new Error(`The reset has the reason ${reason}; it should be ${allowed.join(' or ')}.`);
    }
  }

  /** The source, with a note of what its calls of `append()` throw. */
  private watch(source: ChannelSource): ChannelSource {
    let watched = this.watched.get(source);
    if (!watched) {
      const append = (sink: ChannelSink, event: SourceEvent): string => {
        try {
          return sink.append(event);
        } catch (error) {
          this.refused.push((error as Error).message);
          throw error;
        }
      };
      watched = Object.create(source, {
        open: {
          value: (channel: string, sink: ChannelSink) =>
            source.open(
              channel,
              new Proxy(sink, {
                get: (target, name) => {
                  const member: unknown = Reflect.get(target, name, target);
                  if (typeof member !== 'function') return member;
                  return name === 'append'
                    ? (event: SourceEvent) => append(target, event)
                    : (member.bind(target) as unknown);
                },
              }),
            ),
        },
      }) as ChannelSource;
      this.watched.set(source, watched);
    }
    return watched;
  }

  private seen(reader: ContractReader): string {
    const { refused } = this;
    const thrown =
      refused.length > 0
        ? `; append() threw ${refused.length} times, at first: ${refused[0]!.replace(/\.$/, '')}`
        : '';
    return `resets: ${list(reader.resets)}${thrown}`;
  }

  async close(): Promise<void> {
    for (const reader of this.readers) {
      reader.leave();
    }
    await this.delivery.drain();
    this.delivery.close();
  }
}

function list(texts: readonly string[]): string {
  return texts.join(', ') || 'none';
}

/** A channel name that nobody has used yet. */
export function freshChannel(): string {
  return `contract-${randomBytes(6).toString('hex')}`;
}

/** The texts of `count` events, numbered from `from` on. */
export function numbered(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `event ${from + index}`);
}
