import { Inject, Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { checkedNames } from './channel/channel-name.js';
import { Control } from './connections/control.js';
import { disconnectCommand, type DisconnectOptions } from './connections/disconnect.options.js';
import { listConnections, type ConnectionsOptions } from './connections/list-connections.js';
import { Presence } from './presence/presence.js';
import type { PresenceListOptions } from './presence/presence.options.js';
import type { SsePresence, SsePresenceStats } from './presence/sse-presence.js';
import type { SseEvent } from './channel/sse-event.js';
import { Delivery } from './delivery/delivery.js';
import type { SseConnectionEvent } from './delivery/connection-events.js';
import type { ConnectionTarget } from './delivery/revocations.js';
import type { SseConnection } from './delivery/sse-connection.js';
import type { EventToSend, SendResult } from './sending/send-all.options.js';
import { Sending } from './sending/sending.js';
import {
  STREAM_OPTIONS,
  type ResumeOptions,
  type SendKeyOptions,
  type SendOptions,
  type StreamOptions,
} from './setup/channel-options.js';
import { SSE_SETTINGS, type SseSettings } from './setup/settings.js';
import { SseSources } from './setup/sse-sources.js';
import type { CacheOptions } from './sources/cache/cache-options.js';
import { PollSource } from './sources/poll/poll-source.js';
import type { PollOptions } from './sources/poll/poll.options.js';
import { readOptions } from './sources/options/option-table.js';
import type { ListenOptions } from './sources/postgres/listen.options.js';
import { SseReports } from './sending/sse-reports.js';
import { statsOf, type SseStats } from './sse.stats.js';

/**
 * Publishes events, and reads channels as Observables. Injectable anywhere; needs no
 * HTTP request.
 */
@Injectable()
export class SseService {
  /**
   * Connections of this instance that open and close, from the moment of the subscription on. It
   * completes at shutdown, once every connection has closed.
   */
  readonly connections$: Observable<SseConnectionEvent>;
  private readonly reports: SseReports;
  private readonly sending: Sending;

  /** @internal */
  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    /** Everything between the logs of the channels and the clients. */
    private readonly delivery: Delivery,
    /** Whatever feeds channels, the broker of `send()` among them. */
    private readonly sources: SseSources,
    private readonly control: Control,
    private readonly present: Presence,
  ) {
    this.connections$ = delivery.connections.events.events$;
    this.reports = new SseReports(settings, sources.log);
    this.sending = new Sending(settings, sources, this.reports);
  }

  /**
   * Reads one or several channels. Each subscriber has its own place in them; the source feeds each
   * channel once. Emits every event, `sse:reset` among them (see `isReset`), and completes after the
   * last event of the run.
   *
   * @param channels a channel's name, or several
   * @param options the source of the channels, and where to start
   * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`, `NOT_CONFIGURED`
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  stream<T extends string | object = any>(
    channels: string | readonly string[],
    options: StreamOptions = {},
  ): Observable<SseEvent<T>> {
    const names = checkedNames(channels);
    readOptions(STREAM_OPTIONS, options, '', 'stream(): ');
    const source = this.sources.sourceFor(options);
    const isOfSet = typeof channels !== 'string';
    const requests = names.map((name) => ({ source, name, isOfSet }));
    return this.delivery.observe(requests, options.lastEventId);
  }

  /**
   * Publishes an event to all clients of a channel.
   *
   * @param channel the channel's name
   * @param data a string goes out as it is, everything else as `serialize` writes it, or as JSON
   * @returns the event's id, once the broker has the event
   * @throws SseError `INVALID_CHANNEL`, `INVALID_EVENT`, `EVENT_TOO_LARGE`, `LIMIT_REACHED`,
   * `UNAVAILABLE`, `TRANSACTION_FAILED`, `INVALID_OPTION`, `CLOSED`: the promise rejects, the call never
   * throws. The module logs the error, so you need not await the promise.
   */
  send(channel: string, data: unknown, options: SendOptions = {}): Promise<string> {
    return this.sending.send(channel, data, options);
  }

  /**
   * Publishes events, in as few calls to the broker as it allows, in the order of the list within each
   * channel. An event that cannot be sent leaves the others as they are.
   *
   * @param events at most 10,000
   * @returns what has become of each, in the order of the list
   * @throws SseError `INVALID_OPTION` for what is no such list; as for `send()`, the module logs errors
   */
  sendAll(events: readonly EventToSend[]): Promise<SendResult[]> {
    return this.sending.sendAll(events);
  }

  /**
   * Ends the run of a channel: its clients receive an event with the data `[DONE]`, their
   * streams end, and they do not return. Clients that connect later wait for the next run.
   *
   * @throws SseError `INVALID_CHANNEL`, `LIMIT_REACHED`, `UNAVAILABLE`, `CLOSED`, as for `send()`
   */
  complete(channel: string): Promise<string> {
    return this.sending.complete(channel);
  }

  /**
   * Sends a value to all clients of a key, without overwriting one that was sent before.
   * While nobody reads the key, the value waits.
   *
   * @param value a string goes out as it is, everything else as `serialize` writes it, or as JSON
   * @throws SseError `INVALID_CHANNEL`, `INVALID_EVENT`, `EVENT_TOO_LARGE`, `UNAVAILABLE`, as for
   * `send()`
   */
  sendKey(key: string, value: unknown, options: SendKeyOptions = {}): Promise<void> {
    return this.sending.sendKey(key, value, options);
  }

  /**
   * Reads a cache key: each value that is written to it is an event.
   *
   * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  streamKey<T extends string | object = any>(
    key: string,
    options: CacheOptions & ResumeOptions = {},
  ): Observable<SseEvent<T>> {
    return this.stream<T>(key, { ...options, source: 'cache' });
  }

  /**
   * Reads a Postgres notification channel.
   *
   * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`, `NOT_CONFIGURED`
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  streamPostgres<T extends string | object = any>(
    channel: string,
    options: ListenOptions & ResumeOptions = {},
  ): Observable<SseEvent<T>> {
    return this.stream<T>(channel, { ...options, source: 'postgres' });
  }

  /**
   * Sends a Postgres notification, as `select pg_notify(channel, payload)`.
   *
   * @param payload a string goes out as it is, everything else as `serialize` writes it, or as
   * JSON; under 8,000 bytes
   * @throws SseError `INVALID_CHANNEL`, `INVALID_EVENT`, `EVENT_TOO_LARGE`, `NOT_CONFIGURED`,
   * `UNAVAILABLE`, as for `send()`
   */
  notify(channel: string, payload: unknown = ''): Promise<void> {
    return this.sending.notify(channel, payload);
  }

  /**
   * Calls a function again and again, and emits its results, except `null` and `undefined`. One loop
   * serves all subscribers of the Observable, and pauses while there are none. When a call throws, the
   * module logs that and calls again.
   *
   * @param read returns the next value: a string as it is, everything else as `serialize` writes it, or
   * as JSON
   * @throws SseError `INVALID_OPTION`
   */
  poll<T extends string | object>(
    read: () => T | null | undefined | Promise<T | null | undefined>,
    options: PollOptions = {},
  ): Observable<SseEvent<T>> {
    const { doneSignal = this.settings.doneSignal, serialize = this.settings.serialize } = options;
    const source = new PollSource(read, { ...options, doneSignal, serialize }, this.sources.log);
    const requests = [{ source, name: 'poll' }];
    return this.delivery.observe(requests);
  }

  /**
   * The open connections of this instance, in the order in which they were opened, page by page.
   *
   * @param options whose connections, of which channel, and which page
   * @throws SseError `INVALID_OPTION`
   */
  connections(options: ConnectionsOptions = {}): SseConnection[] {
    return listConnections(this.delivery.connections, options);
  }

  /**
   * Ends connections: those of this instance at once, and with `revocation` those of every other.
   * Their clients return and are authorised anew, unless they are blocked.
   *
   * @param target whose connections, of which channel, or which one; several must all hold
   * @returns once the broker has the command. Other instances obey it when they read it
   * @throws SseError `INVALID_OPTION`, `UNAVAILABLE`, `CLOSED`; the connections of this instance have
   * ended also when the broker is not available. As for `send()`, the promise need not be awaited
   */
  disconnect(target: ConnectionTarget, options: DisconnectOptions = {}): Promise<void> {
    return this.reports.commanded.follow(() =>
      this.control.disconnect(disconnectCommand(target, options)),
    );
  }

  /**
   * Who reads a channel by endpoints with `presence`, on all instances, in pages of up to 1,000 members.
   * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`, `UNAVAILABLE`, `CLOSED`
   */
  presence(channel: string, options: PresenceListOptions = {}): Promise<SsePresence> {
    return this.present.list(channel, options);
  }

  /** How many are present in a channel. @throws SseError as `presence()` */
  presenceStats(channel: string): Promise<SsePresenceStats> {
    return this.present.count(channel);
  }

  /** The first page of `presence()`, now and after each change. Completes at shutdown. @throws alike */
  presence$(channel: string): Observable<SsePresence> {
    return this.present.observe(channel);
  }

  /** Counts what is open at this moment, and what the module has refused since the start. */
  stats(): SseStats {
    return statsOf(this.delivery, this.sources);
  }
}
