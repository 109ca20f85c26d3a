import { checkLabels } from '../channel/composite-id.js';
import { monotonicNow } from '../channel/clock.js';
import type { Cursor } from '../channel/cursor.js';
import { LogEntry } from '../channel/log-entry.js';
import { SseError } from '../channel/sse-error.js';
import { ChangingMerge, type ChangingCursors } from './changing-merge.js';
import { CHANNELS_TYPE, deniedEvent, placeText } from './opening.js';
import { NO_CHANNELS } from './resume-positions.js';
import type { Snapshots } from './snapshot-cursor.js';
import { Subscription } from './subscription.js';
import type { ChannelRequest } from './channel-request.js';

/**
 * The channels of a client whose set changes while its stream is open.
 *
 * A change takes effect at once: an added channel starts at its head, and a removed one stops there.
 * The client learns of the change after the last event of a removed channel, and before the first of
 * an added one. Until then `cursors` are those of the set that the client knows, and event ids name
 * these.
 */
export class ChangingSubscription extends Subscription implements ChangingCursors {
  override readonly isLabelled = true;
  /** The set as it is. */
  private present: readonly Cursor[] = this.cursors;
  /** The cursors of removed channels, each with the number of the last event that is still for the client. */
  private readonly leaving = new Map<Cursor, number>();
  /** The cursors of channels that are about to join the set. */
  private readonly joining = new Set<Cursor>();
  /** Whether the client does not know the set as it is. */
  private isUntold = false;
  /** Refused channels that the client does not know of. */
  private denied: readonly string[] = [];
  /** Takes the states of channels that are added, if the endpoint has any. */
  private readonly snapshots: Snapshots | undefined;
  /** Whether the set changes no more. */
  private isFinal = false;
  /** Called when the subscription is closed. */
  onClosed: (() => void) | undefined;

  constructor(...services: ConstructorParameters<typeof Subscription>) {
    super(...services);
    this.snapshots = services[4];
  }

  override get channels(): readonly string[] {
    return this.present.map(({ channel }) => channel.name);
  }

  override get id(): string | undefined {
    // Otherwise the client would return with the position of a channel which has left.
    return this.cursors.every(({ position }) => position === '') ? NO_CHANNELS : super.id;
  }

  override get isChanging(): boolean {
    return true;
  }

  override get mayGrow(): boolean {
    return !this.isFinal;
  }

  /** Whether the client is to be told something. */
  get hasNews(): boolean {
    return this.isUntold || this.denied.length > 0;
  }

  override merge(): ChangingMerge {
    return new ChangingMerge(this);
  }

  /** Takes all channels out of the set that are not wanted. Returns whether there were any. */
  keep(isWanted: (name: string) => boolean): boolean {
    this.forgetDenied((name) => !isWanted(name));
    const removed = this.present.filter(({ channel }) => !isWanted(channel.name));
    if (removed.length === 0 || this.isClosed) {
      return false;
    }
    const before = new Set(removed);
    this.present = this.present.filter((cursor) => !before.has(cursor));
    this.isUntold = true;
    const known = new Set(this.cursors);
    const ended: Cursor[] = [];
    for (const cursor of removed) {
      const { log } = cursor.channel;
      // A client that reads history, or has not begun to read, gets no more of the channel.
      if (known.has(cursor) && this.reader && cursor.isInLog) {
        this.leaving.set(cursor, log.head);
      } else {
        ended.push(cursor);
      }
    }
    this.drop(ended);
    this.pull();
    return true;
  }

  /**
   * Opens channels that are about to join the set, each with a cursor at its head.
   *
   * @param limit how many readers a channel may have beside this one
   * @throws SseError `LIMIT_REACHED`, `INVALID_CHANNEL`
   */
  prepare(requests: readonly ChannelRequest[], limit: number): readonly Cursor[] {
    const cursors: Cursor[] = [];
    try {
      for (const { source, name } of requests) {
        const cursor = this.cursorIn(this.registry.acquire(source, name), this.snapshots);
        cursors.push(cursor);
        this.joining.add(cursor);
        if (!this.hasRoomIn(cursor.channel, limit)) {
          throw new SseError(
            'LIMIT_REACHED',
            `The channel ${JSON.stringify(name)} has ${limit} connections. Raise ` +
              '`limits.connectionsPerChannel`, or let fewer clients read the channel.',
          );
        }
      }
      checkLabels([...this.present, ...cursors].map(({ channel }) => channel));
    } catch (error) {
      this.drop(cursors);
      throw error;
    }
    if (this.isClosed) {
      // A source that was opened has ended the connection.
      this.drop(cursors.splice(0));
    }
    return cursors;
  }

  /** Waits until the sources of channels listen, but no longer than `timeout` milliseconds. */
  whenReady(cursors: readonly Cursor[], timeout: number): Promise<void> | undefined {
    const late = cursors.filter(({ channel }) => !channel.ready);
    return late.length === 0
      ? undefined
      : Promise.all(late.map(({ channel }) => channel.whenReady(timeout))).then(() =>
          late.forEach((cursor) => cursor.skipToHead()),
        );
  }

  /** Takes the channels of prepared cursors into the set if they are wanted, and closes the others. */
  add(cursors: readonly Cursor[], isWanted: (name: string) => boolean): void {
    // They are not there any more when the subscription was closed meanwhile.
    const joining = cursors.filter((cursor) => this.joining.has(cursor));
    this.join(joining.filter(({ channel }) => isWanted(channel.name)));
    this.drop(joining.filter(({ channel }) => !isWanted(channel.name)));
    this.pull();
  }

  /** Tells the client that it may not read these channels. */
  deny(names: readonly string[]): void {
    this.denied = [...this.denied, ...names];
    this.pull();
  }

  /** From now on the set stays as it is. */
  finish(): void {
    this.isFinal = true;
    this.pull();
  }

  /** Begins: until here nothing was told, so the client never hears of channels that have left. */
  begin(): void {
    this.cursors = this.present;
    this.isUntold = false;
  }

  /**
   * Lets cursors go that have brought their last event. Returns whether the client knows all events
   * of the set before, and can be told the next one.
   */
  settle(): boolean {
    const ended = [...this.leaving].filter(
      ([cursor, last]) =>
        cursor.seq >= last || !cursor.isInLog || cursor.seq < cursor.channel.log.first - 1,
    );
    this.drop(ended.map(([cursor]) => cursor));
    // While a reset is due, no id could be sent along.
    return this.leaving.size === 0 && !this.isResetDue;
  }

  /** The event that tells the client the set, or what is denied. */
  tell(): LogEntry {
    let event;
    if (this.isUntold) {
      this.isUntold = false;
      this.cursors = this.present;
      event = { type: CHANNELS_TYPE, data: placeText(this) };
    } else {
      event = deniedEvent(this.denied);
      this.denied = [];
    }
    return new LogEntry(0, '', event, monotonicNow());
  }

  override close(): void {
    if (!this.isClosed) {
      const { present } = this;
      this.cursors = [...new Set([...this.cursors, ...present, ...this.joining])];
      super.close();
      this.joining.clear();
      this.onClosed?.();
    }
  }

  /** Forgets refused channels that the client need not hear of any more. */
  private forgetDenied(isOver: (name: string) => boolean): void {
    if (this.denied.length > 0) {
      this.denied = this.denied.filter((name) => !isOver(name));
    }
  }

  private join(cursors: readonly Cursor[]): void {
    if (cursors.length === 0) {
      return;
    }
    this.present = [...this.present, ...cursors];
    this.isUntold = true;
    const names = new Set(cursors.map(({ channel }) => channel.name));
    this.forgetDenied((name) => names.has(name));
    for (const cursor of cursors) {
      this.joining.delete(cursor);
      cursor.startLive();
      if (this.reader) {
        cursor.channel.addReader(this.reader);
      }
    }
  }

  private drop(dropped: readonly Cursor[]): void {
    if (dropped.length === 0) {
      return;
    }
    const gone = new Set(dropped);
    this.cursors = this.cursors.filter((cursor) => !gone.has(cursor));
    // A channel may have come back with another cursor.
    const left = new Set([...this.cursors, ...this.present].map(({ channel }) => channel));
    for (const cursor of dropped) {
      this.leaving.delete(cursor);
      this.joining.delete(cursor);
      if (this.reader && !left.has(cursor.channel)) {
        cursor.channel.removeReader(this.reader);
      }
    }
    // Last, as a source that is paused may change the set again.
    dropped.forEach((cursor) => this.release(cursor, false));
  }
}
