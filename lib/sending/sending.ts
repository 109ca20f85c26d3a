import { handled } from '../channel/at-once.js';
import { checkChannelName } from '../channel/channel-name.js';
import { arePublishesWatched, watchedPublish } from '../channel/diagnostics.js';
import { faultOfKey, type SentOnce } from '../channel/once.js';
import { outgoingEvent } from '../channel/outgoing-event.js';
import type { OutgoingEvent } from '../channel/source.js';
import { sourceKindOf } from '../channel/source-kind.js';
import { SseError } from '../channel/sse-error.js';
import { tallyOf } from '../channel/tally.js';
import {
  SEND_KEY_OPTIONS,
  SEND_OPTIONS,
  TYPED_SEND_KEY_OPTIONS,
  TYPED_SEND_OPTIONS,
  type SendKeyOptions,
  type SendOptions,
  type TypedSendOptions,
} from '../setup/channel-options.js';
import type { SseSettings } from '../setup/settings.js';
import type { SseSources } from '../setup/sse-sources.js';
import { checkNames, invalidOption } from '../sources/options/option-table.js';
import {
  EVENT_TO_SEND,
  MOST_EVENTS,
  TYPED_EVENT_TO_SEND,
  type EventToSend,
  type SendResult,
} from './send-all.options.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';
import { outputOf, wireType } from '../typed/checked-data.js';
import { PublishTimes, type PublishOperation } from './publish-times.js';
import type { SseReports } from './sse-reports.js';

/** A channel of a definition. */
export interface TypedChannel {
  readonly channel: string;
  readonly definition: ChannelDefinition;
}

/** An event of `ChannelSender.sendAll()`, of whatever definition. */
interface TypedItem extends Omit<EventToSend, 'channel' | 'type'> {
  readonly type: string;
}

/** Sends what the application publishes: checks it, gives it to its system, and reports what fails. */
export class Sending {
  private readonly sends: PublishTimes;
  private readonly keySends: PublishTimes;
  private readonly notices: PublishTimes;

  constructor(
    private readonly settings: SseSettings,
    private readonly sources: SseSources,
    private readonly reports: SseReports,
  ) {
    const tally = tallyOf(sources.log);
    this.sends = new PublishTimes(tally, 'send', sourceKindOf(sources.broker));
    this.keySends = new PublishTimes(tally, 'sendKey', sources.keyStoreKind);
    this.notices = new PublishTimes(tally, 'notify', 'postgres');
  }

  send(channel: string, data: unknown, options: SendOptions): Promise<string> {
    return this.reports.published.follow(() => {
      checkChannelName(channel);
      checkNames(SEND_OPTIONS, options, '', 'send(): ');
      return this.publish(channel, this.outgoing(data, options), options);
    }, this.sends);
  }

  /** Sends an event of a definition, once its schema has taken the data. */
  sendTyped(
    channel: string,
    definition: ChannelDefinition,
    name: string,
    data: unknown,
    options: TypedSendOptions,
  ): Promise<string> {
    return this.reports.published.follow(() => {
      checkChannelName(channel);
      checkNames(TYPED_SEND_OPTIONS, options, '', 'send(): ');
      const output = outputOf(definition, name, data);
      return this.publish(channel, this.outgoing(output, options, wireType(name)), options);
    }, this.sends);
  }

  complete(channel: string): Promise<string> {
    return this.reports.published.follow(() => {
      checkChannelName(channel);
      const data = this.settings.doneSignal || '[DONE]';
      return this.publish(channel, { data, end: true }, {});
    }, this.sends);
  }

  sendKey(key: string, value: unknown, options: SendKeyOptions): Promise<void> {
    return this.reports.keys.follow(() => {
      checkNames(SEND_KEY_OPTIONS, options, '', 'sendKey(): ');
      const { data, type, id } = this.outgoing(value, options);
      const send = () => this.sources.cache.sendKey(key, data, { type, id });
      return watched('sendKey', this.keySends.target, key, send);
    }, this.keySends);
  }

  sendTypedKey(
    key: string,
    definition: ChannelDefinition,
    name: string,
    value: unknown,
    options: Omit<SendKeyOptions, 'type'>,
  ): Promise<void> {
    return this.reports.keys.follow(() => {
      checkNames(TYPED_SEND_KEY_OPTIONS, options, '', 'sendKey(): ');
      const output = outputOf(definition, name, value);
      const { data, type, id } = this.outgoing(output, options, wireType(name));
      const send = () => this.sources.cache.sendKey(key, data, { type, id });
      return watched('sendKey', this.keySends.target, key, send);
    }, this.keySends);
  }

  notify(channel: string, payload: unknown): Promise<void> {
    return this.reports.notified.follow(() => {
      const { data } = this.outgoing(payload, {});
      const { notifier } = this.sources;
      return watched('notify', this.notices.target, channel, () => notifier.notify(channel, data));
    }, this.notices);
  }

  /**
   * Sends events in one turn, as brokers join the events of a turn in as few calls as they can.
   * @param to the channel and its definition, if the events have types
   */
  sendAll<T>(events: readonly T[], to?: TypedChannel): Promise<SendResult[]> {
    return handled(this.sendList(events, to));
  }

  private async sendList<T>(events: readonly T[], to?: TypedChannel): Promise<SendResult[]> {
    if (!Array.isArray(events) || events.length > MOST_EVENTS) {
      return this.reports.published.follow(() => Promise.reject(refusedList(events)));
    }
    // A list may have holes, which map() would pass over; and getters, which may throw.
    return Promise.all(
      Array.from({ length: events.length }, (_, nth) => this.sendOne(events, nth, to)),
    );
  }

  private async sendOne(
    events: readonly unknown[],
    nth: number,
    to: TypedChannel | undefined,
  ): Promise<SendResult> {
    const sent = this.reports.published.follow<string | SentOnce>(() => {
      const item = events[nth];
      checkNames(to ? TYPED_EVENT_TO_SEND : EVENT_TO_SEND, item, `events[${nth}]`, 'sendAll(): ');
      const { channel, data, ...options } = to
        ? checkedItem(item as TypedItem, to)
        : (item as EventToSend);
      checkChannelName(channel);
      const event = this.outgoing(data, options);
      const send = (): Promise<string | SentOnce> =>
        options.idempotencyKey === undefined
          ? this.sources.broker.publish(channel, event)
          : this.publishOnce(channel, event, options, `sendAll(): events[${nth}]: `);
      return watched('send', this.sends.target, channel, send);
    }, this.sends);
    try {
      const outcome = await sent;
      const { id, isDuplicate } =
        typeof outcome === 'string' ? { id: outcome, isDuplicate: false } : outcome;
      return { status: 'sent', id, duplicate: isDuplicate };
    } catch (error) {
      return { status: 'failed', error: error as Error };
    }
  }

  private publish(channel: string, event: OutgoingEvent, options: SendOptions): Promise<string> {
    return watched('send', this.sends.target, channel, () =>
      this.publishNow(channel, event, options),
    );
  }

  private publishNow(channel: string, event: OutgoingEvent, options: SendOptions): Promise<string> {
    return options.idempotencyKey === undefined
      ? this.sources.broker.publish(channel, event, options)
      : this.publishOnce(channel, event, options, 'send(): ').then(({ id }) => id);
  }

  /**
   * @param of whose option the key is, for errors
   * @throws SseError `INVALID_OPTION`
   */
  private publishOnce(
    channel: string,
    event: OutgoingEvent,
    options: SendOptions,
    of: string,
  ): Promise<SentOnce> {
    const { idempotencyKey: key } = options;
    const fault = faultOfKey(key);
    if (fault !== undefined) {
      throw new SseError('INVALID_OPTION', `${of}\`idempotencyKey\` ${fault}.`);
    }
    if (!this.sources.broker.publishOnce) {
      throw new SseError(
        'INVALID_OPTION',
        `${of}\`idempotencyKey\` needs a broker that recognises keys, and the broker of this application ` +
          'has no publishOnce(). Add it, use another broker, or leave the key out.',
      );
    }
    const once = { key: key!, window: this.settings.idempotencyWindow };
    return this.sources.broker.publishOnce(channel, event, once, options);
  }

  private outgoing(data: unknown, options: SendOptions, type = options.type): OutgoingEvent {
    const { limits, serialize } = this.settings;
    const { id, retry } = options;
    return outgoingEvent(data, { type, id, retry }, limits, options.serialize ?? serialize);
  }
}

/** An event of a definition, as what its schema makes of it. @throws as `outputOf()` */
function checkedItem({ type: name, data, ...rest }: TypedItem, to: TypedChannel): EventToSend {
  const { channel, definition } = to;
  const type = wireType(name);
  return { ...rest, type, channel, data: outputOf(definition, name, data) };
}

function refusedList(events: unknown): SseError {
  return Array.isArray(events)
    ? new SseError(
        'INVALID_OPTION',
        `sendAll(): there are ${events.length} events; give at most ${MOST_EVENTS} in one call.`,
      )
    : invalidOption('events', events, 'an array', 'sendAll(): ');
}

/** Makes a call, and tells whoever follows calls that publish. */
function watched<R>(
  operation: PublishOperation,
  target: string,
  channel: string,
  call: () => Promise<R>,
): Promise<R> {
  return arePublishesWatched() ? watchedPublish({ operation, target, channel }, call) : call();
}
