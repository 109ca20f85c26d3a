import { SseClientError } from './client-error.js';
import { Connection } from './connection.js';
import { meaningOf, type ConnectionEnd } from './connection-end.js';
import type { ConnectionOptions } from './connection-options.js';
import type { Frame } from './event-stream-parser.js';
import type { ChannelState } from './request.js';
import { ReturnTimes } from './return-times.js';
import { serverData, type ServerData } from './server-data.js';
import type { Ending, Upstream, UpstreamSink, Wanted } from './upstream.js';

/** How long after `sse:open` a channel that it does not name may be denied, in milliseconds. */
const DENY_MS = 1_000;
const REMEDY = 'Use requestedChannels() there.';

/**
 * Brings channels by one connection. When other channels are wanted, a new connection takes the place
 * of the old as soon as it is open. It resumes each channel where the old one was when it was asked
 * for; what the old one has brought since then, it brings again, and that is left out.
 */
export class DirectUpstream implements Upstream {
  private readonly states = new Map<string, ChannelState>();
  /** The connection that brings events. */
  private current: Connection | undefined;
  /** The connection that is to take its place. */
  private next: Connection | undefined;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private readonly times = new ReturnTimes();
  /** Whether the last answer was 401. */
  private isUnauthorized = false;
  /** Why the server has ended the last stream, if it has said so. */
  private reason: string | undefined;
  private isClosed = false;

  constructor(
    private readonly url: string,
    private readonly options: ConnectionOptions,
    private readonly sink: UpstreamSink,
  ) {
    (globalThis as Partial<PageEvents>).addEventListener?.('online', this.onOnline);
  }

  want(channels: readonly Wanted[]): void {
    const names = new Set(channels.map(({ name }) => name));
    for (const name of this.states.keys()) if (!names.has(name)) this.states.delete(name);
    for (const { name, position } of channels) {
      // What is over is wanted anew.
      if (this.states.get(name)?.isOver !== false) {
        this.states.set(name, { name, position, label: undefined, isOver: false });
      }
    }
    // Whoever is told something may want something else meanwhile.
    queueMicrotask(() => this.change());
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    // Whatever goes on behind a call of the sink finds nothing to tell.
    this.states.clear();
    (globalThis as Partial<PageEvents>).removeEventListener?.('online', this.onOnline);
    this.stop();
  }

  /** The network is back. The connection may be dead, without a sign of it. */
  private readonly onOnline = (): void => {
    if (!this.current && !this.next && !this.waiting) return;
    this.times.reset();
    this.connect();
  };

  /** The channels to ask for. */
  private asked(): ChannelState[] {
    return [...this.states.values()].filter(({ isOver }) => !isOver);
  }

  /**
   * Connects anew if the connection does not bring what is wanted.
   * @param error why nothing is left to be wanted
   */
  private change(error?: SseClientError): void {
    if (this.isClosed) return;
    const asked = this.asked();
    if (asked.length === 0) this.stop(error);
    // Those are to look again when they are done.
    else if (!this.next && !this.waiting && !this.brings(asked)) this.connect();
  }

  /** A channel that was unwanted in between is another one. */
  private brings(asked: readonly ChannelState[]): boolean {
    const live = this.current?.live;
    return live?.size === asked.length && asked.every((one) => live.get(one.name) === one);
  }

  private connect(): void {
    clearTimeout(this.waiting);
    this.waiting = undefined;
    this.next?.close();
    this.next = new Connection(this.url, this.asked(), this.options, this.onFrame, this.onEnd);
    if (!this.current) this.sink.status('connecting');
  }

  private readonly onFrame = (from: Connection, { type, data, id }: Frame): void => {
    // With neither it says no more than when to return.
    const isPlace = data !== undefined || id !== undefined;
    if (type === 'sse:open' || type === 'sse:channels') {
      if (isPlace) this.opened(from, serverData(data), id ?? '');
      return;
    }
    // An endpoint that opens with a frame, and has no position to tell.
    if (from === this.next && isPlace && !type.startsWith('sse:')) {
      this.opened(from, serverData('{}'), '');
    }
    // Before it is open it brings nothing else.
    if (from !== this.current || data === undefined) return;
    if (type === 'sse:denied') this.over(from, serverData(data).channels ?? [], 'onDenied');
    else if (type === 'sse:end') this.reason = serverData(data).reason;
    else this.deliver(from, type, data, id);
  };

  private opened(from: Connection, { channels: told, labels }: ServerData, id: string): void {
    const { asked } = from;
    const channels = told ?? asked;
    const before = this.current;
    const isNext = from === this.next;
    if (isNext) {
      const strange = channels.find((name) => !asked.includes(name));
      if (strange !== undefined) {
        from.end({ isFinal: true, text: `The endpoint brings "${strange}" unasked. ${REMEDY}` });
        return;
      }
      before?.close();
      this.current = from;
      this.next = undefined;
      this.times.opened(from.retry);
      this.isUnauthorized = false;
      this.reason = undefined;
      this.sink.status('open');
    }
    for (const state of from.place(channels, labels, id)) {
      const { name, position } = state;
      const isNew = before?.live.get(name) !== state;
      if (isNew && this.states.get(name) === state) this.sink.opened(name, position);
    }
    const missing = asked.filter((name) => !channels.includes(name));
    if (isNext && missing.length > 0) setTimeout(() => this.miss(from, missing), DENY_MS);
    this.change();
  }

  /** Nobody has said why these channels do not come. */
  private miss(from: Connection, names: readonly string[]): void {
    if (from !== this.current) return;
    const text = `The endpoint does not bring "${names.join('", "')}". ${REMEDY}`;
    this.over(from, names, 'onError', new SseClientError(text, { isFinal: true }));
  }

  private deliver(from: Connection, type: string, data: string, id: string | undefined): void {
    const reset = type === 'sse:reset' ? serverData(data) : undefined;
    const { state, position } = from.about(id, reset?.channel);
    if (!state || this.states.get(state.name) !== state) return;
    const { name } = state;
    if (position !== undefined) {
      if (from.isRepeat(name, position)) return;
      this.next?.note(name, position);
      this.times.reset();
    }
    if (reset || position !== undefined) state.position = position;
    if (reset) this.sink.reset(name, reset.reason ?? '', position);
    else if (type === '' && data === '[DONE]') this.over(from, [name], 'onEnd');
    else this.sink.event(name, { type: type || 'message', data, position });
  }

  /** No more is to come of these channels. */
  private over(
    from: Connection,
    names: readonly string[],
    how: Ending,
    error?: SseClientError,
  ): void {
    // One that is wanted anew is another one, which this connection was not asked for.
    const known = names.flatMap((name) => {
      const state = this.states.get(name);
      return state && !state.isOver && from.live.get(name) === state ? [state] : [];
    });
    for (const state of known) {
      state.isOver = true;
      this.current?.live.delete(state.name);
      this.next?.live.delete(state.name);
    }
    for (const { name } of known) if (!this.isClosed) this.sink.over(name, how, error);
    this.change(error);
  }

  private readonly onEnd = (from: Connection, end: ConnectionEnd): void => {
    const { status, after } = end;
    const isNext = from === this.next;
    const isFirst401 = isNext && status === 401 && !this.isUnauthorized;
    if (isNext) {
      this.isUnauthorized = isFirst401;
      this.next = undefined;
    } else {
      this.current = undefined;
      this.times.ended();
    }
    const { current } = this;
    const { how, error } = meaningOf(end, this.reason, !isNext);
    // The connection that takes its place is on its way.
    if (this.next) this.sink.status('connecting', error);
    else if (isFirst401) this.connect();
    else if (how === 'onError' && current) {
      // What is open goes on, and may bring more than is wanted: asking for less is refused as well.
      this.sink.status('open', error);
      current.keep(this.states);
      const names = from.asked.filter((name) => current.live.get(name) !== from.live.get(name));
      this.over(from, names, how, error);
    } else if (how) this.over(from, from.asked, how, error);
    else {
      this.waiting ??= setTimeout(() => this.connect(), this.times.next(from.retry, after));
      this.sink.status(current ? 'open' : 'waiting', error);
    }
  };

  private stop(error?: SseClientError): void {
    clearTimeout(this.waiting);
    this.waiting = undefined;
    this.current?.close();
    this.next?.close();
    this.current = this.next = undefined;
    // What comes next is another round.
    this.times.reset();
    this.isUnauthorized = false;
    this.reason = undefined;
    this.sink.status('closed', error);
  }
}

/** What only pages have. */
interface PageEvents {
  addEventListener(type: 'online', listener: () => void): void;
  removeEventListener(type: 'online', listener: () => void): void;
}
