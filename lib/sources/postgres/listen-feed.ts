import { isEventType } from '../../channel/event-check.js';
import type { ChannelFeed, ChannelSink, SourceEvent, SseLogger } from '../../channel/source.js';
import type { ListenOptions } from './listen.options.js';
import { describe } from './postgres-error.js';
import type { ListenSubscriber } from './postgres-listener.js';
import { readTriggerPayload } from './trigger-payload.js';
import { within } from './within.js';

/** How long a `refetch` hook is waited for, in milliseconds; notifications are held meanwhile. */
const REFETCH_TIMEOUT = 30_000;

/** Appends the notifications of one channel to its log, and announces the gaps between them. */
export class ListenFeed implements ChannelFeed, ListenSubscriber {
  readonly #channel: string;
  readonly #sink: ChannelSink;
  readonly #logger: SseLogger;
  readonly #options: ListenOptions;
  /** Notifications that must wait for `live()` or for the announcement of a gap; unset when none must. */
  #held: string[] | undefined = [];
  #live = false;
  #listening = false;
  #gap = false;
  #recovering = false;
  #closed = false;
  #complained = false;
  #release: (() => void) | undefined;

  constructor(channel: string, sink: ChannelSink, logger: SseLogger, options: ListenOptions) {
    this.#channel = channel;
    this.#sink = sink;
    this.#logger = logger;
    this.#options = options;
  }

  /** Takes the function that ends the subscription. */
  subscribed(release: () => void): void {
    this.#release = release;
  }

  close(): void {
    this.#closed = true;
    this.#held = undefined;
    this.#release?.();
  }

  listening(): void {
    if (this.#closed || this.#listening) {
      return;
    }
    this.#listening = true;
    if (!this.#live) {
      this.#live = true;
      this.#sink.live();
      this.#flush();
    } else if (!this.#recovering) {
      void this.#recover();
    }
  }

  notified(payload: string): void {
    if (this.#held !== undefined) {
      this.#held.push(payload);
    } else if (!this.#closed) {
      this.#append(payload);
    }
  }

  lost(): void {
    this.#listening = false;
    if (this.#live && !this.#closed) {
      this.#gap = true;
      this.#held ??= [];
    }
  }

  async #recover(): Promise<void> {
    this.#recovering = true;
    while (this.#gap && this.#listening) {
      this.#gap = false;
      const events =
        this.#options.refetch === undefined ? [] : await this.#refetch(this.#options.refetch);
      if (this.#closed) {
        break;
      }
      try {
        this.#sink.reset('listener-gap');
        for (const { data, type, id, retry, end } of events) {
          this.#sink.append({ data, type, id, retry, end });
        }
      } catch (error) {
        this.#complain(`what "refetch" returned cannot be appended: ${describe(error)}`);
      }
      this.#flush();
    }
    this.#recovering = false;
  }

  async #refetch(refetch: NonNullable<ListenOptions['refetch']>): Promise<readonly SourceEvent[]> {
    try {
      const work = Promise.resolve(refetch(this.#channel));
      return [...((await within(REFETCH_TIMEOUT, '"refetch"', work)) ?? [])];
    } catch (error) {
      this.#logger.error(
        `Postgres channel ${JSON.stringify(this.#channel)}: "refetch" failed: ${describe(error)}`,
      );
      return [];
    }
  }

  /** Appends what was held. Goes on holding when the connection was lost again in the meantime. */
  #flush(): void {
    const held = this.#held ?? [];
    this.#held = this.#gap ? [] : undefined;
    for (const payload of held) {
      this.#append(payload);
    }
  }

  #append(payload: string): void {
    const { data, type: operation } = readTriggerPayload(payload);
    const type = this.#eventName(data, operation);
    try {
      this.#sink.append({
        data,
        ...(type === undefined ? {} : { type }),
        ...(payload === (this.#options.doneSignal ?? '[DONE]') ? { end: true } : {}),
      });
    } catch (error) {
      this.#complain(`a notification was refused: ${describe(error)}`);
    }
  }

  #eventName(payload: string, operation: string | undefined): string | undefined {
    const { type } = this.#options;
    if (typeof type !== 'function') {
      return type ?? operation;
    }
    try {
      const name = type(payload, operation);
      if (name === undefined || isEventType(name)) {
        return name ?? operation;
      }
      this.#complain(
        `"type" returned ${JSON.stringify(name)}; give a name without CR, LF and NUL that does not begin with "sse:"`,
      );
    } catch (error) {
      this.#complain(`"type" threw: ${describe(error)}`);
    }
    return operation;
  }

  /** Once per feed: a fault that comes with one notification comes with each. */
  #complain(what: string): void {
    if (!this.#complained) {
      this.#complained = true;
      this.#logger.error(
        `Postgres channel ${JSON.stringify(this.#channel)}: ${what}. Not reported again for this channel.`,
      );
    }
  }
}
