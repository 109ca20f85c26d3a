import { Inject, Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { handled } from './channel/at-once.js';
import { Control } from './connections/control.js';
import { disconnectCommand, type DisconnectOptions } from './connections/disconnect.options.js';
import { listConnections, type ConnectionsOptions } from './connections/list-connections.js';
import { Metrics } from './metrics/metrics.js';
import { Presence } from './presence/presence.js';
import type { PresenceListOptions } from './presence/presence.options.js';
import type { SsePresence, SsePresenceStats } from './presence/sse-presence.js';
import { Runs } from './runs/runs.js';
import type { RunSource } from './runs/source/run-source.js';
import type { SseRun } from './runs/sse-run.js';
import { Delivery } from './delivery/delivery.js';
import type { SseConnectionEvent } from './delivery/connection-events.js';
import type { ConnectionTarget } from './delivery/revocations.js';
import type { SseConnection } from './delivery/sse-connection.js';
import { ChannelSender } from './sending/channel-sender.js';
import type { EventToSend, SendResult } from './sending/send-all.options.js';
import { Sending } from './sending/sending.js';
import type { SendKeyOptions, SendOptions } from './setup/channel-options.js';
import type { RunOptions, StopOptions } from './setup/run-options.js';
import { SSE_SETTINGS, type SseSettings } from './setup/settings.js';
import { SseSources } from './setup/sse-sources.js';
import { SseReports } from './sending/sse-reports.js';
import { SseReading } from './sse.reading.js';
import type { ChannelDefinition, ParamArgs } from './typed/channel-definition.js';
import { checkDefinition } from './typed/define-channel.js';
import { healthOf, type SseHealth } from './sse.health.js';
import { statsOf, type SseStats } from './sse.stats.js';

/**
 * Publishes events, and reads channels as Observables. Injectable anywhere; needs no
 * HTTP request.
 */
@Injectable()
export class SseService extends SseReading {
  /**
   * Connections of this instance that open and close, from the moment of the subscription on. It
   * completes at shutdown, once every connection has closed.
   */
  readonly connections$: Observable<SseConnectionEvent>;
  private readonly reports: SseReports;
  private readonly sending: Sending;

  /** @internal */
  constructor(
    @Inject(SSE_SETTINGS) settings: SseSettings,
    delivery: Delivery,
    sources: SseSources,
    private readonly control: Control,
    private readonly present: Presence,
    private readonly runs: Runs,
    private readonly ownMetrics: Metrics,
  ) {
    super(settings, delivery, sources);
    this.connections$ = delivery.connections.events.events$;
    this.reports = new SseReports(settings, sources.log);
    this.sending = new Sending(settings, sources, this.reports);
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
   * Publishes to a channel whose events have types: the compiler checks the type and the data of each event,
   * and so does `send()` when it is called.
   *
   * @param definition what `defineChannel()` returned
   * @param params what stands for the placeholders of its template; none for a template without any
   * @throws SseError `INVALID_CHANNEL` when a value is missing or empty, `INVALID_OPTION` for what is no definition
   *
   * @example
   * ```ts
   * await sse.to(Job, { id }).send('progress', { percent: 50 });
   * ```
   */
  to<Definition extends ChannelDefinition>(
    definition: Definition,
    ...params: ParamArgs<Definition['template']>
  ): ChannelSender<Definition> {
    checkDefinition(definition, 'to(): ');
    const channel = definition.channel(...(params as []));
    return new ChannelSender(this.sending, definition, channel);
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
    return handled(this.present.list(channel, options));
  }

  /** How many are present in a channel. @throws SseError as `presence()` */
  presenceStats(channel: string): Promise<SsePresenceStats> {
    return handled(this.present.count(channel));
  }

  /** The first page of `presence()`, now and after each change. Completes at shutdown. @throws alike */
  presence$(channel: string): Observable<SsePresence> {
    return this.present.observe(channel);
  }

  /**
   * Begins a run: a stream with a log of its own, which goes on when the request that began it is gone. Waits for
   * the source's first value, for a second at most.
   *
   * @param channel where the run can be followed, by endpoints with `run: true`
   * @param source a function of an AbortSignal that gives an async iterable, a stream, an Observable or a Response; or one of these
   * @throws SseError `RUN_ACTIVE` when the channel has a run, `LIMIT_REACHED`, `INVALID_CHANNEL`, `INVALID_OPTION`,
   * `UNAVAILABLE`, `CLOSED`; and the source's error, if it fails before its first value
   */
  run(channel: string, source: RunSource, options: RunOptions = {}): Promise<SseRun> {
    return this.reports.runs.follow(() => this.runs.run(channel, source, options));
  }

  /**
   * Stops the active run of a channel, whichever instance began it.
   * @returns whether there was one
   * @throws SseError `INVALID_CHANNEL`, `INVALID_OPTION`, `UNAVAILABLE`, `CLOSED`
   */
  stop(channel: string, options: StopOptions = {}): Promise<boolean> {
    return this.reports.runs.follow(() => this.runs.stop(channel, options));
  }

  /** Counts what is open at this moment, and what the module has refused since the start. */
  stats(): SseStats {
    return statsOf(this.delivery, this.sources, this.runs);
  }

  /** How this instance and the systems behind it are, as far as it has noticed: it asks nobody. */
  health(): SseHealth {
    return healthOf(this.delivery, this.sources);
  }

  /**
   * The metrics of this instance in Prometheus' text format, version 0.0.4; docs/metrics.md lists them. Answer
   * with it what Prometheus asks for, under the content type `SSE_METRICS_TYPE`. It never throws.
   */
  metrics(): string {
    return this.ownMetrics.text();
  }
}
