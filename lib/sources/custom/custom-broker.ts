import { atOnce } from '../../channel/at-once.js';
import type { ControlLog } from '../../channel/control.js';
import type { Guard } from '../../channel/guard.js';
import type { SentOnce } from '../../channel/once.js';
import { withDeadline } from '../../channel/deadline.js';
import { reasonOf } from '../../channel/reason.js';
import { checkedStore } from './custom-presence.js';
import { checkedRuns } from './custom-runs.js';
import { kindOf, shown } from '../../channel/shown.js';
import type {
  Broker,
  ChannelFeed,
  ChannelSink,
  OutgoingEvent,
  PublishOptions,
} from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';

/** How long the application's broker may take for an event, in milliseconds. */
const PUBLISH_TIMEOUT_MS = 30_000;

/** @throws SseError `UNAVAILABLE` for any error that is not an SseError, and without an answer in time */
async function answerTo<T>(
  publish: () => Promise<T>,
  whose: string,
  what: string,
  method = 'publish()',
): Promise<T> {
  try {
    const answer = Promise.resolve(publish());
    return await withDeadline(answer, PUBLISH_TIMEOUT_MS, `${whose} ${method}`);
  } catch (cause) {
    throw cause instanceof SseError
      ? cause
      : new SseError(
          'UNAVAILABLE',
          `${whose} ${method} failed, and may have taken the ${what}: ${reasonOf(cause)}`,
          { cause },
        );
  }
}

/** @throws SseError `INVALID_OPTION` when `openControl()` returned no control log */
function checkControlLog(control: Partial<ControlLog> | undefined): asserts control is ControlLog {
  if (typeof control?.publish !== 'function' || typeof control.close !== 'function') {
    throw new SseError(
      'INVALID_OPTION',
      `The broker's openControl() returned ${kindOf(control)}. It must ` +
        'return an object with publish() and close() at once, and connect in its own time.',
    );
  }
}

/** @throws SseError `UNAVAILABLE` for an answer that is none */
function checkedOnce(answer: SentOnce): SentOnce {
  const { id, isDuplicate } = Object(answer) as SentOnce;
  if (typeof id !== 'string' || id === '' || typeof isDuplicate !== 'boolean') {
    throw new SseError(
      'UNAVAILABLE',
      `The broker's publishOnce() resolved with ${shown(answer)}; it must be { id, isDuplicate }, with the ` +
        "first event's position as `id`. The broker may have taken the event.",
    );
  }
  return { id, isDuplicate };
}

/** The application's broker, held to its contract. */
export class CustomBroker implements Broker {
  readonly openControl?: NonNullable<Broker['openControl']>;
  readonly openPresence?: NonNullable<Broker['openPresence']>;
  readonly openRuns?: NonNullable<Broker['openRuns']>;
  readonly publishOnce?: NonNullable<Broker['publishOnce']>;

  constructor(
    private readonly broker: Broker,
    guard: Guard,
  ) {
    if (broker.openControl) {
      this.openControl = (sink) => {
        const control = atOnce(broker.openControl!(sink));
        checkControlLog(control);
        return {
          longestKeep: control.longestKeep,
          publish: (text, keep) =>
            answerTo(() => control.publish(text, keep), "The control log's", 'command'),
          close: () => control.close(),
        };
      };
    }
    if (broker.openPresence) {
      this.openPresence = (sink, options) =>
        checkedStore(atOnce(broker.openPresence!(sink, options)), guard);
    }
    if (broker.openRuns) {
      this.openRuns = () => checkedRuns(atOnce(broker.openRuns!()), guard);
    }
    if (broker.publishOnce) {
      this.publishOnce = async (...call) =>
        checkedOnce(
          await answerTo(
            () => broker.publishOnce!(...call),
            "The broker's",
            'event',
            'publishOnce()',
          ),
        );
    }
  }

  open(channel: string, sink: ChannelSink): ChannelFeed {
    return this.broker.open(channel, sink);
  }

  /** @throws SseError `UNAVAILABLE` for any error of the broker that is not an SseError */
  async publish(channel: string, event: OutgoingEvent, options?: PublishOptions): Promise<string> {
    const position: unknown = await answerTo(
      () => this.broker.publish(channel, event, options),
      "The broker's",
      'event',
    );
    if (typeof position !== 'string' || position === '') {
      throw new SseError(
        'UNAVAILABLE',
        `The broker's publish() resolved with ${shown(position)}; ` +
          "it must be the event's position, a string. The broker may have taken the event.",
      );
    }
    return position;
  }
}
