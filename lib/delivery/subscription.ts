import type { Channel } from '../channel/channel.js';
import type { Reader } from '../channel/reader.js';
import type { ChannelRegistry } from '../channel/channel-registry.js';
import { checkLabels, formatCompositeId, labelledPosition } from '../channel/composite-id.js';
import { Cursor } from '../channel/cursor.js';
import { settledWithin } from '../channel/deadline.js';
import type { LogEntry } from '../channel/log-entry.js';
import type { ChannelRequest, IdForm } from './channel-request.js';
import { EntryMerge } from './entry-merge.js';
import { resumePositions } from './resume-positions.js';
import { SnapshotCursor, type Snapshots } from './snapshot-cursor.js';
import type { SubscriptionOptions, SubscriptionReader } from './subscription-options.js';

/** The channels one client reads, and its cursor in each. */
export class Subscription {
  /** True when the client has received the ends of all its runs. */
  hasEnded = false;
  cursors: readonly Cursor[];
  /** Whether event ids name the channels of their positions. */
  readonly isLabelled: boolean;
  /** Whether an event's id has the position of its own channel only. */
  readonly hasOwnIds: boolean;
  protected reader: SubscriptionReader | undefined;
  protected isClosed = false;

  /** `open()` makes subscriptions. */
  constructor(
    protected readonly registry: ChannelRegistry,
    channels: readonly Channel[],
    { isOfSet, hasOwnIds }: IdForm,
    private readonly wake: (reader: Reader) => void,
    snapshots: Snapshots | undefined,
  ) {
    this.cursors = channels.map((channel) => this.cursorIn(channel, snapshots));
    this.isLabelled = isOfSet || hasOwnIds || channels.length > 1;
    this.hasOwnIds = hasOwnIds;
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
    const form = {
      isOfSet: requests.some((request) => request.isOfSet),
      hasOwnIds: requests.some((request) => request.hasOwnIds),
    };
    return new this(registry, channels, form, wake, snapshots);
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
    if (this.hasOwnIds) {
      // A client that is due a reset in one channel keeps the position that it has there.
      const known = this.cursors.filter(({ resetReason }) => resetReason === undefined);
      return formatCompositeId(known) || undefined;
    }
    if (this.isResetDue) {
      return undefined;
    }
    const id = this.isLabelled ? formatCompositeId(this.cursors) : this.cursors[0]?.position;
    return id || undefined;
  }

  /** How many events its logs have that the client has not received. */
  get backlog(): number {
    return this.cursors.reduce((sum, { channel, seq }) => sum + channel.log.head - seq, 0);
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
  attach(reader: SubscriptionReader): void {
    if (this.isClosed) {
      return;
    }
    this.reader = reader;
    for (const { channel } of this.cursors) {
      channel.addReader(this.readerIn(channel)!);
    }
  }

  /** The id of an event that was read last: where the client returns after it, or empty. */
  idOf({ label }: Channel, { resumeAt }: LogEntry): string {
    return this.hasOwnIds ? resumeAt && labelledPosition(label, resumeAt) : (this.id ?? '');
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
    return snapshots?.has(channel.name)
      ? new SnapshotCursor(channel, this, snapshots)
      : new Cursor(channel, this);
  }

  protected get isResetDue(): boolean {
    return this.cursors.some(({ resetReason }) => resetReason !== undefined);
  }

  protected hasRoomIn(channel: Channel, limit: number): boolean {
    const { readers } = channel;
    const reader = this.readerIn(channel);
    const own = reader && readers.has(reader) ? 1 : 0;
    return readers.size - own < limit;
  }

  /** What a channel pulls for this client; `undefined` before there is a reader. */
  protected readerIn(channel: Channel): Reader | undefined {
    const { reader } = this;
    return reader?.readerIn ? reader.readerIn(channel) : reader;
  }

  /** @param isLast whether it is the reader's only cursor in the channel */
  protected release(cursor: Cursor, isLast = true): void {
    cursor.close();
    const reader = this.readerIn(cursor.channel);
    if (reader && isLast) {
      cursor.channel.removeReader(reader);
    }
    this.registry.release(cursor.channel);
  }

  private resume(options: SubscriptionOptions): void | Promise<void> {
    const { lastEventId, from, isOwnChoice, readyTimeout } = options;
    const positions =
      lastEventId === undefined
        ? []
        : resumePositions(
            lastEventId,
            this.cursors.map(({ channel }) => channel.label),
            isOwnChoice ?? this.isChanging,
          );
    const pending: Promise<void>[] = [];
    for (const [index, cursor] of this.cursors.entries()) {
      const position = from?.get(cursor.channel.name) ?? positions?.[index];
      if (position === undefined && !positions) {
        cursor.resetReason = 'unknown-position';
        continue;
      }
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
