import type { Channel, Reader } from '../channel/channel.js';
import type { ChannelRegistry } from '../channel/channel-registry.js';
import { checkLabels, formatCompositeId } from '../channel/composite-id.js';
import { Cursor } from '../channel/cursor.js';
import { settledWithin } from '../channel/deadline.js';
import type { ChannelSource } from '../channel/source.js';
import { EntryMerge } from './entry-merge.js';
import { resumePositions } from './resume-positions.js';
import { SnapshotCursor, type Snapshots } from './snapshot-cursor.js';

/** One channel that a client wants to read. */
export interface ChannelRequest {
  readonly source: ChannelSource;
  readonly name: string;
  /**
   * Whether the client may return with other channels. Event ids then name their channels, as they
   * always do with several. Default: false.
   */
  readonly isOfSet?: boolean;
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
  /** True when the client has received the ends of all its runs. */
  hasEnded = false;
  cursors: readonly Cursor[];
  /** Whether event ids name the channels of their positions. */
  readonly isLabelled: boolean;
  protected reader: Reader | undefined;
  protected isClosed = false;

  /** `open()` makes subscriptions. */
  constructor(
    protected readonly registry: ChannelRegistry,
    channels: readonly Channel[],
    isOfSet: boolean,
    private readonly wake: (reader: Reader) => void,
    snapshots: Snapshots | undefined,
  ) {
    this.cursors = channels.map((channel) => this.cursorIn(channel, snapshots));
    this.isLabelled = isOfSet || channels.length > 1;
  }

  /**
   * Opens the channels, with a cursor at the head of each.
   *
   * @param wake pulls a reader, in a turn of the event loop that has time for it
   * @param snapshots takes the states that the client receives; `undefined` for events only
   * @throws SseError `LIMIT_REACHED`, `INVALID_CHANNEL`
   */
  static open<Kind extends Subscription>(
    this: new (...services: ConstructorParameters<typeof Subscription>) => Kind,
    registry: ChannelRegistry,
    requests: readonly ChannelRequest[],
    wake: (reader: Reader) => void,
    snapshots?: Snapshots,
  ): Kind {
    const channels: Channel[] = [];
    try {
      for (const { source, name } of requests) {
        channels.push(registry.acquire(source, name));
      }
      if (channels.length > 1) {
        checkLabels(channels);
      }
    } catch (error) {
      channels.forEach((channel) => registry.release(channel));
      throw error;
    }
    const isOfSet = requests.some((request) => request.isOfSet);
    return new this(registry, channels, isOfSet, wake, snapshots);
  }

  /** Places the cursors. Returns a promise only if that takes time. */
  place(options: SubscriptionOptions): void | Promise<void> {
    const late = this.cursors.filter(({ channel }) => !channel.ready);
    if (late.length === 0) {
      return this.resume(options);
    }
    return Promise.all(late.map(({ channel }) => channel.whenReady(options.readyTimeout))).then(
      () => {
        if (this.isClosed) {
          return;
        }
        late.forEach((cursor) => cursor.skipToHead());
        return this.resume(options);
      },
    );
  }

  /**
   * The id with which a client that leaves now would return; `undefined` while a reset is due,
   * which the client receives when it returns with the id that it has.
   */
  get id(): string | undefined {
    if (this.isResetDue) {
      return undefined;
    }
    const id = this.isLabelled ? formatCompositeId(this.cursors) : this.cursors[0]?.position;
    return id || undefined;
  }

  get channels(): readonly string[] {
    return this.cursors.map(({ channel }) => channel.name);
  }

  /** The channel behind each label of the ids; empty where ids have no labels. */
  get labels(): Readonly<Record<string, string>> {
    return this.isLabelled
      ? Object.fromEntries(this.cursors.map(({ channel: { label, name } }) => [label, name]))
      : {};
  }

  /** Whether the set of channels may change while the stream is open. */
  get isChanging(): boolean {
    return false;
  }

  /** Whether channels may still come. */
  get mayGrow(): boolean {
    return false;
  }

  /** Whether every channel has fewer than `limit` readers beside this one. */
  hasRoom(limit: number): boolean {
    return this.cursors.every(({ channel }) => this.hasRoomIn(channel, limit));
  }

  /** Brings the channels in one order, for a reader. */
  merge(): EntryMerge {
    return new EntryMerge(this.cursors);
  }

  /** Wakes the reader, if there is one by now. */
  pull(): void {
    if (this.reader) {
      this.wake(this.reader);
    }
  }

  /** Attaches the reader, which is pulled from now on when a channel has new events. */
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
    this.cursors.forEach((cursor) => this.release(cursor));
    this.reader = undefined;
  }

  protected cursorIn(channel: Channel, snapshots: Snapshots | undefined): Cursor {
    return snapshots ? new SnapshotCursor(channel, this, snapshots) : new Cursor(channel, this);
  }

  protected get isResetDue(): boolean {
    return this.cursors.some(({ resetReason }) => resetReason !== undefined);
  }

  protected hasRoomIn({ readers }: Channel, limit: number): boolean {
    const own = this.reader && readers.has(this.reader) ? 1 : 0;
    return readers.size - own < limit;
  }

  /** @param isLast whether it is the reader's only cursor in the channel */
  protected release(cursor: Cursor, isLast = true): void {
    cursor.close();
    if (this.reader && isLast) {
      cursor.channel.removeReader(this.reader);
    }
    this.registry.release(cursor.channel);
  }

  private resume({ lastEventId, readyTimeout }: SubscriptionOptions): void | Promise<void> {
    if (lastEventId === undefined) {
      this.cursors.forEach((cursor) => cursor.startLive());
      return;
    }
    const positions = resumePositions(
      lastEventId,
      this.cursors.map(({ channel }) => channel.label),
      this.isChanging,
    );
    if (!positions) {
      this.cursors.forEach((cursor) => (cursor.resetReason = 'unknown-position'));
      return;
    }
    const pending: Promise<void>[] = [];
    for (const [index, cursor] of this.cursors.entries()) {
      const position = positions[index];
      const placed = position === undefined ? cursor.startLive() : cursor.resume(position);
      if (placed) {
        pending.push(placed);
      }
    }
    const finish = (): void => {
      this.hasEnded =
        this.cursors.length > 0 && !this.mayGrow && this.cursors.every((cursor) => cursor.hasEnded);
    };
    if (pending.length === 0) {
      return finish();
    }
    return settledWithin(Promise.all(pending), readyTimeout).then(finish);
  }
}
