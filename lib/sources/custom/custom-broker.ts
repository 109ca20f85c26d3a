import type { ControlLog } from '../../channel/control.js';
import { withDeadline } from '../../channel/deadline.js';
import { reasonOf } from '../../channel/reason.js';
import { shown } from '../../channel/shown.js';
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

/** A control log of the application's, whose answer we wait for only so long. */
function limited(control: ControlLog): ControlLog {
  return {
    publish: async (text, keep) => {
      try {
        const published = Promise.resolve(control.publish(text, keep));
        await withDeadline(published, PUBLISH_TIMEOUT_MS, "The control log's publish()");
      } catch (cause) {
        throw cause instanceof SseError
          ? cause
          : new SseError(
              'UNAVAILABLE',
              `The control log's publish() failed, and may have taken the command: ${reasonOf(cause)}`,
              { cause },
            );
      }
    },
    close: () => control.close(),
  };
}

/** The application's broker, held to its contract. */
export class CustomBroker implements Broker {
  readonly openControl?: NonNullable<Broker['openControl']>;

  constructor(private readonly broker: Broker) {
    if (broker.openControl) {
      this.openControl = (sink) => limited(broker.openControl!(sink));
    }
  }

  open(channel: string, sink: ChannelSink): ChannelFeed {
    return this.broker.open(channel, sink);
  }

  /** @throws SseError `UNAVAILABLE` for any error of the broker that is not an SseError */
  async publish(channel: string, event: OutgoingEvent, options?: PublishOptions): Promise<string> {
    let position: unknown;
    try {
      const answer = Promise.resolve(this.broker.publish(channel, event, options));
      position = await withDeadline(answer, PUBLISH_TIMEOUT_MS, "The broker's publish()");
    } catch (cause) {
      throw cause instanceof SseError
        ? cause
        : new SseError(
            'UNAVAILABLE',
            `The broker's publish() failed, and may have taken the event: ${reasonOf(cause)}`,
            { cause },
          );
    }
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
