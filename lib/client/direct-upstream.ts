import { SseClientError } from './client-error.js';
import { Connection, type ConnectionEnd } from './connection.js';
import type { ConnectionOptions } from './connection-options.js';
import type { Frame } from './event-stream-parser.js';
import type { ChannelState } from './request.js';
import { LABEL_LENGTH, parsed, positionIn, type ServerData } from './server-data.js';
import type { Upstream, UpstreamSink, Wanted } from './upstream.js';

/** How long changes of what is wanted are collected, in milliseconds. */
const COLLECT_MS = 5;
/** The wait before the second attempt, until a server says another. */
const RETRY_MS = 1_000;
const MAX_WAIT_MS = 30_000;
/** From what the wait doubles, at least: a server may say 0. */
const MIN_RETRY_MS = 50;
/** How long a connection lives that has not failed, if it brings nothing: milliseconds. */
const STEADY_MS = 1_000;
/** What `Retry-After` may say at most. */
const MAX_AFTER_MS = 3_600_000;
/** Answers of the 4xx that are not about this client. */
const FOR_NOW = new Set([408, 425, 429]);

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
  private isCollecting = false;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private retry = RETRY_MS;
  /** The attempts since the last connection that brought something, or lived for a while. */
  private attempts = 0;
  private openedAt = 0;
  /** Whether the last answer was 401. */
  private isUnauthorized = false;
  /** Whether the server has said that it ends the streams of this client. */
  private isRevoked = false;
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
    if (this.isClosed || this.isCollecting) return;
    this.isCollecting = true;
    const collected = (): void => {
      this.isCollecting = false;
      if (!this.isClosed) this.change();
    };
    // Nothing comes until the first connection is there, and a page in the background has slow timers.
    if (this.current || this.next || this.waiting) setTimeout(collected, COLLECT_MS);
    else queueMicrotask(collected);
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
    this.attempts = 0;
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
  private change(error?: Error): void {
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
      if (isPlace) this.opened(from, parsed(data), id ?? '');
      return;
    }
    // An endpoint that opens with a frame, and has no position to tell.
    if (from === this.next && isPlace && !type.startsWith('sse:')) this.opened(from, {}, '');
    // Before it is open it brings nothing else.
    if (from !== this.current || data === undefined) return;
    if (type === 'sse:denied') this.over(from, parsed(data).channels ?? [], 'denied');
    else if (type === 'sse:end') this.isRevoked = parsed(data).reason === 'revoked';
    else this.deliver(from, type, data, id);
  };

  private opened(from: Connection, { channels, labels = {} }: ServerData, id: string): void {
    const { asked } = from;
    const strange = channels?.find((name) => !asked.includes(name));
    if (from === this.next) {
      if (strange !== undefined) {
        const text = `The endpoint brings "${strange}" unasked. Make it one whose channels are asked for.`;
        from.end({ isFinal: true, error: new SseClientError(text) });
        return;
      }
      const before = this.current;
      before?.close();
      this.current = from;
      this.next = undefined;
      this.openedAt = performance.now();
      this.retry = from.retry ?? this.retry;
      this.isUnauthorized = this.isRevoked = false;
      this.sink.status('open');
      this.place(from, channels ?? asked, labels, id, before);
      this.change();
    } else this.place(from, channels ?? asked, labels, id, from);
  }

  /** Takes over where the channels of an open connection are. */
  private place(
    from: Connection,
    channels: readonly string[],
    labels: Connection['labels'],
    id: string,
    before: Connection | undefined,
  ): void {
    from.labels = labels;
    const byName = new Map(Object.entries(labels).map(([label, name]) => [name, label]));
    for (const name of channels) {
      const state = from.live.get(name);
      if (!state) continue;
      state.label = byName.get(name) ?? '';
      state.position ??= positionIn(id, state.label);
      const isNew = before?.live.get(name) !== state;
      if (isNew && this.states.get(name) === state) this.sink.opened(name, state.position);
    }
  }

  private deliver(from: Connection, type: string, data: string, id: string | undefined): void {
    const label = id?.slice(0, LABEL_LENGTH) ?? '';
    const labelled = from.labels[label];
    const position = labelled === undefined ? id : id!.slice(LABEL_LENGTH + 1);
    const reset = type === 'sse:reset' ? parsed(data) : undefined;
    const name = labelled ?? reset?.channel ?? (from.asked.length === 1 ? from.asked[0]! : '');
    const state = from.live.get(name);
    if (!state || this.states.get(name) !== state) return;
    if (position !== undefined) {
      if (from.isRepeat(name, position)) return;
      this.next?.note(name, position);
      this.attempts = 0;
    }
    if (reset || position !== undefined) state.position = position;
    if (reset) this.sink.reset(name, reset.reason ?? '', position);
    else if (type === '' && data === '[DONE]') this.over(from, [name], 'ended');
    else this.sink.event(name, { type: type || 'message', data, position });
  }

  /** No more is to come of these channels. */
  private over(
    from: Connection,
    names: readonly string[],
    how: 'denied' | 'ended',
    error?: Error,
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
    for (const { name } of known) if (!this.isClosed) this.sink[how](name);
    this.change(error);
  }

  private readonly onEnd = (from: Connection, end: ConnectionEnd): void => {
    const { status = 0, isFinal } = end;
    const isNext = from === this.next;
    const isFirst401 = isNext && status === 401 && !this.isUnauthorized;
    if (isNext) this.isUnauthorized = isFirst401;
    if (isNext) this.next = undefined;
    else {
      this.current = undefined;
      if (performance.now() - this.openedAt > STEADY_MS) this.attempts = 0;
    }
    const text = this.isRevoked ? 'The server has ended this stream.' : `The answer is ${status}.`;
    const error = status ? new SseClientError(text, status) : end.error;
    const names = from.asked;
    if (!isNext && this.next) this.sink.status('connecting');
    else if (status === 204 && !this.isRevoked) this.over(from, names, 'ended');
    else if (isFirst401) this.connect();
    else if (status === 403) this.over(from, names, 'denied', error);
    else if (isFinal || status === 204 || (status >= 400 && status < 500 && !FOR_NOW.has(status))) {
      this.refused(error);
    } else this.pause(from.retry, end.after, error);
  };

  /** Another attempt would end alike. What is open goes on. */
  private refused(error: Error | undefined): void {
    if (this.current) this.sink.status('open', error);
    else this.stop(error);
  }

  /**
   * Waits, and connects.
   * @param told when to return, as the server has said last. A server that ends spreads its clients by it
   */
  private pause(told = this.retry, after: number | undefined, error: Error | undefined): void {
    const { retry } = this;
    const grown = Math.max(retry, MIN_RETRY_MS) * 2 ** this.attempts;
    const full = this.attempts++ ? Math.min(grown, Math.max(retry, MAX_WAIT_MS)) : told;
    const wait = full * (0.5 + Math.random() / 2) + Math.min(Math.max(after || 0, 0), MAX_AFTER_MS);
    this.waiting ??= setTimeout(() => this.connect(), wait);
    if (!this.current) this.sink.status('waiting', error);
  }

  private stop(error?: Error): void {
    clearTimeout(this.waiting);
    this.waiting = undefined;
    this.current?.close();
    this.next?.close();
    this.current = this.next = undefined;
    // What comes next is another round.
    this.attempts = 0;
    this.isUnauthorized = this.isRevoked = false;
    this.sink.status('closed', error);
  }
}

/** What only pages have. */
interface PageEvents {
  addEventListener(type: 'online', listener: () => void): void;
  removeEventListener(type: 'online', listener: () => void): void;
}
