import type { Channel, Reader } from '../channel/channel.js';
import type { ChannelRegistry } from '../channel/channel-registry.js';
import { formatCompositeId, labelOf, parseCompositeId } from '../channel/composite-id.js';
import { Cursor } from '../channel/cursor.js';
import { settledWithin } from '../channel/deadline.js';
import type { ChannelSource } from '../channel/source.js';
import { EARLIEST } from '../channel/start-position.js';

/** One channel that a client wants to read. */
export interface ChannelRequest {
  readonly source: ChannelSource;
  readonly name: string;
}

/** Where a client starts, and how long it may take to find out. */
export interface SubscriptionOptions {
  /** The client's Last-Event-ID; `undefined` starts live, `NO_POSITION` after a reset. */
  readonly lastEventId: string | undefined;
  /** How long to wait for sources that are not listening yet, in milliseconds. */
  readonly readyTimeout: number;
}

/** The channels one client reads, and its cursor in each. */
export class Subscription {
  /** True when the client has read all there was: the run has ended for it. */
  hasEnded = false;
  readonly cursors: readonly Cursor[];
  private readonly idLabels: readonly string[];
  private reader: Reader | undefined;
  private isClosed = false;

  private constructor(
    private readonly registry: ChannelRegistry,
    channels: readonly Channel[],
    private readonly wake: (reader: Reader) => void,
  ) {
    this.cursors = channels.map((channel) => new Cursor(channel, this));
    this.idLabels = channels.length > 1 ? channels.map(({ name }) => labelOf(name)) : NO_LABELS;
  }

  /**
   * Opens the channels and places the client's cursors.
   * @param wake has a reader pulled, in a turn of the event loop that has time for it
   * @throws SseError `LIMIT_REACHED`, `INVALID_CHANNEL`
   */
  static open(
    registry: ChannelRegistry,
    requests: readonly ChannelRequest[],
    wake: (reader: Reader) => void,
  ): Subscription {
    const channels: Channel[] = [];
    try {
      for (const { source, name } of requests) {
        channels.push(registry.acquire(source, name));
      }
    } catch (error) {
      channels.forEach((channel) => registry.release(channel));
      throw error;
    }
    return new Subscription(registry, channels, wake);
  }

  /** Places the cursors; returns a promise only if something has to be waited for. */
  place(options: SubscriptionOptions): void | Promise<void> {
    const late = this.cursors.filter(({ channel }) => !channel.ready);
    if (late.length === 0) {
      return this.resume(options);
    }
    return Promise.all(late.map(({ channel }) => channel.whenReady(options.readyTimeout))).then(
      () => {
        late.forEach((cursor) => cursor.skipToHead());
        return this.resume(options);
      },
    );
  }

  /**
   * The id a client that leaves now would have to return with; `undefined` to keep its own,
   * as long as it has to be told of a reset.
   */
  get id(): string | undefined {
    if (this.cursors.some(({ resetReason }) => resetReason !== undefined)) {
      return undefined;
    }
    if (this.cursors.length === 1) {
      return this.cursors[0]!.position;
    }
    const id = formatCompositeId(
      this.idLabels,
      this.cursors.map(({ position }) => position),
    );
    return id === '' ? undefined : id;
  }

  /** The names of the channels. */
  get channels(): readonly string[] {
    return this.cursors.map(({ channel }) => channel.name);
  }

  /** The channel behind each label of the ids; empty where ids have no labels. */
  get labels(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.idLabels.map((label, index) => [label, this.cursors[index]!.channel.name]),
    );
  }

  /** Whether every channel has fewer readers than this, beside this one. */
  hasRoom(limit: number): boolean {
    return this.cursors.every(({ channel: { readers } }) => {
      const own = this.reader && readers.has(this.reader) ? 1 : 0;
      return readers.size - own < limit;
    });
  }

  /** Has the reader, if there is one by now, read on soon. */
  pull(): void {
    if (this.reader) {
      this.wake(this.reader);
    }
  }

  /** Has the reader pulled when a channel has news. */
  attach(reader: Reader): void {
    if (this.isClosed) {
      return;
    }
    this.reader = reader;
    for (const { channel } of this.cursors) {
      channel.addReader(reader);
    }
  }

  close(): void {
    if (this.isClosed) {
      return;
    }
    this.isClosed = true;
    for (const cursor of this.cursors) {
      cursor.close();
      if (this.reader) {
        cursor.channel.removeReader(this.reader);
      }
      this.registry.release(cursor.channel);
    }
    this.reader = undefined;
  }

  private resume({ lastEventId, readyTimeout }: SubscriptionOptions): void | Promise<void> {
    if (lastEventId === undefined) {
      this.startLive(this.cursors);
      return;
    }
    if (NOT_A_POSITION.test(lastEventId)) {
      this.cursors.forEach((cursor) => cursor.refuse());
      return;
    }
    const pending: Promise<void>[] = [];
    for (const [cursor, position] of this.positions(lastEventId)) {
      if (position === undefined) {
        this.startLive([cursor]);
        continue;
      }
      const ended = cursor.resume(position);
      if (typeof ended !== 'boolean') {
        pending.push(ended.then((isEnded) => void (cursor.hasEnded = isEnded)));
      } else {
        cursor.hasEnded = ended;
      }
    }
    const finish = (): void => {
      this.hasEnded = this.cursors.length > 0 && this.cursors.every((cursor) => cursor.hasEnded);
    };
    if (pending.length === 0) {
      return finish();
    }
    return settledWithin(Promise.all(pending), readyTimeout).then(finish);
  }

  /** What each cursor resumes from; `undefined` for a channel that is new to the client. */
  private *positions(lastEventId: string): Generator<[Cursor, string | undefined]> {
    const positions =
      this.cursors.length > 1 && lastEventId !== EARLIEST
        ? parseCompositeId(lastEventId)
        : undefined;
    if (positions && !this.idLabels.some((label) => positions.has(label))) {
      // It belongs to other channels altogether: a start in silence would hide that.
      for (const cursor of this.cursors) {
        yield [cursor, lastEventId];
      }
      return;
    }
    for (const [index, cursor] of this.cursors.entries()) {
      yield [cursor, positions ? positions.get(this.idLabels[index]!) : lastEventId];
    }
  }

  private startLive(cursors: readonly Cursor[]): void {
    for (const cursor of cursors) {
      const current = cursor.channel.feed?.current?.();
      if (current) {
        cursor.startWith(current);
      }
    }
  }
}

const NO_LABELS: readonly string[] = [];

/** Stands for a Last-Event-ID that cannot be a position. */
export const NO_POSITION = '\0';

/** No frame could have carried it. */
const NOT_A_POSITION = /[\r\n\0]/;
