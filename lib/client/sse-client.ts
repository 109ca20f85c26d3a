import { checkClient, checkListener, checkSubscription } from './checks.js';
import type { SseClientError } from './client-error.js';
import type { ConnectionOptions } from './connection-options.js';
import { DirectUpstream } from './direct-upstream.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';
import type { ClientEvent, ClientEventOf, ClientReset, Handlers, SubscribeArgs } from './events.js';
import { call } from './report.js';
import type { TabSharing } from './share-tabs.js';
import { SseSubscription } from './sse-subscription.js';
import type { ClientStatus, Ending, Upstream, UpstreamEvent, UpstreamSink } from './upstream.js';

/** The options of an {@link SseClient}. */
export interface SseClientOptions extends ConnectionOptions {
  /** Shares one connection with the other tabs of the browser: `shareTabs()`. Default: a connection of its own */
  readonly tabs?: TabSharing;
}

/** The subscriptions of one channel. */
interface Room {
  readonly subscriptions: Set<SseSubscription<never>>;
  readonly from: string | undefined;
  isOpen: boolean;
}

type StatusListener = (status: ClientStatus, error: SseClientError | undefined) => unknown;

/** How long changes are collected, in milliseconds: no shorter than an upstream does. */
const COLLECT_MS = 5;

/**
 * Many channels over one connection, which returns by itself and loses nothing.
 *
 * @example
 * ```ts
 * const client = new SseClient('/events');
 * const news = client.subscribe('news', (event) => show(event.data));
 * news.close();
 * ```
 */
export class SseClient {
  private readonly rooms = new Map<string, Room>();
  private readonly listeners = new Set<StatusListener>();
  private readonly upstream: Upstream;
  private collecting: ReturnType<typeof setTimeout> | undefined;
  private isClosed = false;
  private present: ClientStatus = 'closed';

  /**
   * @param url of an endpoint whose channels are asked for, or which has one channel; absolute outside
   * of a page
   * @throws TypeError for an option that is not as it should be
   */
  constructor(url: string | URL, options: SseClientOptions = {}) {
    checkClient(url, options);
    const { tabs, credentials } = options;
    const address = String(url);
    const connect = (sink: UpstreamSink): Upstream => new DirectUpstream(address, options, sink);
    const sink = this.sink();
    this.upstream = tabs ? tabs({ url: address, credentials, connect }, sink) : connect(sink);
  }

  /** Whether events arrive. `closed` as well while nothing is subscribed. */
  get status(): ClientStatus {
    return this.present;
  }

  /**
   * Tells each change of the status, and each attempt that has failed, with its error. While a connection
   * is open and another one, for other channels, cannot be had, the status is `open`, and there is
   * an error.
   *
   * @returns what ends that
   * @throws TypeError when it is no function
   */
  onStatus(listener: StatusListener): () => void {
    checkListener(listener);
    // The same function twice is two listeners.
    const own: StatusListener = (...change) => listener(...change);
    this.listeners.add(own);
    return () => void this.listeners.delete(own);
  }

  /**
   * Subscribes to a channel. Several subscriptions of a channel share what the connection brings.
   *
   * @param channel its name
   * @param handlers what to do with what comes, or a function that takes the events and resets. Default:
   * none, for a subscription that is read by `for await` or as an Observable
   * @throws TypeError for a name or handlers that are not as they should be
   * @throws Error when the client is closed, or with `from` for a channel that is subscribed already
   */
  subscribe(
    channel: string,
    handlers?: Handlers<ClientEvent>,
  ): SseSubscription<ClientEvent | ClientReset>;
  /**
   * Subscribes to a channel of a definition, which tells the types of its events. The data is not
   * checked here, as the server has done that.
   *
   * @param definition what `defineChannel()` returns
   * @param args the values of its template, if it has placeholders, and the handlers
   * @throws SseError `INVALID_CHANNEL` when a value is missing or empty
   * @throws Error as above
   */
  subscribe<Definition extends ChannelDefinition>(
    definition: Definition,
    ...args: SubscribeArgs<Definition>
  ): SseSubscription<ClientEventOf<Definition> | ClientReset>;
  subscribe(of: string | ChannelDefinition, ...args: unknown[]): unknown {
    if (this.isClosed) throw new Error('The client is closed. Make a new one.');
    const definition = typeof of === 'object' ? of : undefined;
    const params = definition?.template?.includes('{') ? [args.shift() as never] : [];
    const [given = {}] = args as [Handlers<never>?];
    checkSubscription(of, given);
    const handlers =
      typeof given === 'function' ? { onEvent: given, onReset: given as never } : given;
    const types = definition && Object.keys(definition.events);
    return new SseSubscription(
      definition ? definition.channel(...params) : (of as string),
      handlers,
      this,
      (type) => !types || types.includes(type),
      Object.keys(handlers).some((name) => name !== 'from'),
    );
  }

  /** Ends all subscriptions and the connection, for good. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const channel of this.rooms.keys()) for (const one of this.of(channel)) one.finish();
    clearTimeout(this.collecting);
    this.upstream.close();
  }

  /** @internal */
  attach(subscription: SseSubscription<never>): void {
    if (this.isClosed) {
      subscription.finish();
      return;
    }
    const { channel, handlers } = subscription;
    const { from } = handlers;
    let room = this.rooms.get(channel);
    if (room && from !== undefined) {
      if (room.subscriptions.size > 0) {
        throw new Error(
          `"${channel}" is subscribed already. Only its first subscription has \`from\`.`,
        );
      }
      // Its last reader left just now. It begins anew, elsewhere.
      this.want();
      room = undefined;
    }
    room ??= { subscriptions: new Set(), from, isOpen: false };
    this.rooms.set(channel, room);
    room.subscriptions.add(subscription);
    if (room.isOpen) void Promise.resolve().then(() => subscription.opened());
    this.collect();
  }

  /** @internal */
  detach(subscription: SseSubscription<never>): void {
    this.rooms.get(subscription.channel)?.subscriptions.delete(subscription);
    this.collect();
  }

  private collect(): void {
    if (this.isClosed) return;
    this.collecting ??= setTimeout(() => this.want(), COLLECT_MS);
  }

  private want(): void {
    clearTimeout(this.collecting);
    this.collecting = undefined;
    for (const [name, room] of this.rooms) {
      if (room.subscriptions.size === 0) this.rooms.delete(name);
    }
    this.upstream.want(
      [...this.rooms].map(([name, { from }]) => ({ name, ...(from && { position: from }) })),
    );
  }

  private of(channel: string): SseSubscription<never>[] {
    return [...(this.rooms.get(channel)?.subscriptions ?? [])];
  }

  private sink(): UpstreamSink {
    return {
      opened: (channel) => {
        const room = this.rooms.get(channel);
        if (room) room.isOpen = true;
        for (const one of this.of(channel)) one.opened();
      },
      event: (channel, event) => {
        const subscriptions = this.of(channel);
        if (subscriptions.length === 0) return;
        const taken = eventOf(channel, event);
        for (const one of subscriptions) one.take(taken);
      },
      reset: (channel, reason, position) => {
        const data = { channel, reason };
        for (const one of this.of(channel))
          one.reset({ type: 'sse:reset', data, channel, position });
      },
      over: (channel, how, error) => this.over(channel, how, error),
      status: (status, error) => this.change(status, error),
    };
  }

  /** Who subscribes in a handler, or after it, begins anew. */
  private over(channel: string, how: Ending, error?: SseClientError): void {
    const subscriptions = this.of(channel);
    this.rooms.delete(channel);
    for (const one of subscriptions) one.finish(how, error);
  }

  private change(status: ClientStatus, error?: SseClientError): void {
    const isNew = status !== this.present;
    this.present = status;
    if (status !== 'open') for (const room of this.rooms.values()) room.isOpen = false;
    for (const listener of isNew || error ? this.listeners : []) {
      // A listener before it may have changed it.
      if (this.present === status) call(listener, status, error);
    }
  }
}

/** As readers on the server have it. */
function eventOf(channel: string, { type, data, position }: UpstreamEvent): ClientEvent {
  let value: unknown = data;
  if (/^[[{]/.test(data)) {
    try {
      value = JSON.parse(data);
    } catch {
      // It is some text.
    }
  }
  return { type, data: value, channel, position };
}
