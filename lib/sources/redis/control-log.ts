import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoff } from '../../channel/backoff.js';
import { monotonicNow } from '../../channel/clock.js';
import type { ControlLog, ControlSink } from '../../channel/control.js';
import { reasonOf } from '../../channel/reason.js';
import { SseError } from '../../channel/sse-error.js';
import { messageOf, type ControlMessage } from './control-message.js';
import { CONTROL_APPEND, CONTROL_READ } from './lua/lua.generated.js';
import { callScript } from './redis-call.js';
import { refusalOf } from './redis-refusal.js';
import type { RedisStreams } from './redis-streams.js';
import type { RawEntry } from './stream-entry.js';
import { compareStreamIds, isStreamId } from './stream-id.js';
import { StreamRefusals } from './stream-refusals.js';

/** For how long commands are kept, in milliseconds: longer than any may be in force. */
const KEPT_MS = 90_000_000;
/** Entries per read. */
const PAGE = 1_000;
/** How often the log is read while messages do not tell of commands, in milliseconds. */
const POLL_MS = 500;
/** Messages that wait while the log is read. If more come, it is read once more. */
const MOST_WAITING = 1_000;
const RETRY = { first: 50, most: 1_000 };

/**
 * The commands to all instances, in a stream of their own. Messages bring them on the connection that
 * brings the events. Whenever a connection is lost or made, the log is read before anything that
 * comes on it is delivered.
 */
export class RedisControlLog implements ControlLog {
  private readonly key: string;
  private readonly refusals: StreamRefusals;
  private readonly stopped = new AbortController();
  private readonly detach = AsyncLocalStorage.snapshot();
  private readonly releases: (() => void)[] = [];
  /** The id of the last entry whose command was passed; empty before the first reading. */
  private last = '';
  private isSubscribed = false;
  private isReading = false;
  /** The messages that came while the log was read. */
  private waiting: string[] = [];
  /** Counts what makes us read the log. */
  private reasons = 0;
  private poll: NodeJS.Timeout | undefined;

  constructor(
    private readonly streams: RedisStreams,
    private readonly sink: ControlSink,
  ) {
    this.key = `${streams.settings.prefix}control`;
    this.refusals = new StreamRefusals(streams.connection.address, streams.gatheredLog);
  }

  /** Begins to read and to listen. */
  start(): void {
    const { streams } = this;
    this.releases.push(
      streams.connection.onReady(this.distrust),
      streams.connection.onDrop(this.distrust),
      streams.onAudit(async () => this.read()),
      streams.listen(this.key, {
        message: (text) => this.receive(text),
        subscribed: () => {
          this.isSubscribed = true;
          clearInterval(this.poll);
          this.poll = undefined;
          this.distrust();
        },
        interrupted: (isOwn) => {
          if (isOwn) {
            this.isSubscribed = false;
            this.pollMeanwhile();
          }
          this.distrust();
        },
      }),
    );
    this.pollMeanwhile();
    this.distrust();
  }

  /** @throws SseError `UNAVAILABLE` when Redis does not take it within `sendTimeout` */
  async publish(text: string): Promise<void> {
    const { connection, server, settings } = this.streams;
    const until = monotonicNow() + settings.sendTimeout;
    for (let attempt = 0; ; attempt++) {
      try {
        await server.known();
        await callScript(connection, {
          script: CONTROL_APPEND,
          keys: [this.key],
          args: [server.publishCommand, KEPT_MS, text],
        });
        return await this.whenReplicated();
      } catch (error) {
        const refusal = refusalOf(error as Error, connection.address, this.key);
        if (refusal) {
          throw refusal;
        }
        if (monotonicNow() >= until || this.stopped.signal.aborted) {
          throw connection.known(
            new SseError(
              'UNAVAILABLE',
              `Redis at ${connection.address} has not taken the command within ${settings.sendTimeout} ms, ` +
                `and may have it all the same: ${reasonOf(error)}`,
              { cause: error },
            ),
          );
        }
        await sleep(backoff(attempt, RETRY));
      }
    }
  }

  close(): void {
    this.stopped.abort();
    clearInterval(this.poll);
    this.releases.forEach((release) => release());
  }

  private async whenReplicated(): Promise<void> {
    const { minReplicas, replicaTimeout } = this.streams.settings;
    if (minReplicas === 0) {
      return;
    }
    const count = await this.streams.server.waitForReplicas(this.key, minReplicas, replicaTimeout);
    if (count < minReplicas) {
      throw new SseError(
        'UNAVAILABLE',
        `${count} of ${minReplicas} replicas (\`redisStreams.minReplicas\`) had the command within ` +
          `${replicaTimeout} ms.`,
      );
    }
  }

  /** Events may come before the commands between them: reads the log first. */
  private readonly distrust = (): void => {
    if (!this.stopped.signal.aborted) {
      this.sink.behind();
      this.read();
    }
  };

  private read(): void {
    this.reasons++;
    if (!this.isReading && !this.stopped.signal.aborted) {
      this.isReading = true;
      void this.detach(() => this.readUntilKnown());
    }
  }

  private async readUntilKnown(): Promise<void> {
    const { signal } = this.stopped;
    for (let attempt = 0; !signal.aborted;) {
      const { reasons } = this;
      try {
        while (!(await this.readPage())) {
          // The next page.
        }
        this.refusals.forget(this.key);
        attempt = 0;
      } catch (error) {
        this.refusals.note(this.key, error);
        await sleep(backoff(attempt++, RETRY), undefined, { signal }).catch(() => undefined);
        continue;
      }
      this.takeWaiting();
      if (reasons === this.reasons) {
        break;
      }
    }
    this.isReading = false;
    if (!signal.aborted) {
      this.sink.caughtUp();
    }
  }

  /** Most were read already. */
  private takeWaiting(): void {
    const messages = this.waiting.map(messageOf);
    this.waiting = [];
    for (const message of messages) {
      if (!this.follow(message)) {
        const { id } = message;
        this.reasons += !isStreamId(id) || compareStreamIds(id, this.last) > 0 ? 1 : 0;
      }
    }
  }

  /** Reads the next commands. Returns whether there are no others. */
  private async readPage(): Promise<boolean> {
    const [isLost, now, entries] = (await callScript(this.streams.connection, {
      script: CONTROL_READ,
      keys: [this.key],
      args: [this.last, PAGE, KEPT_MS],
    })) as [number, string, readonly RawEntry[]];
    if (this.stopped.signal.aborted) {
      return true;
    }
    if (isLost === 1) {
      this.sink.lost();
    }
    for (const [id, [, command]] of entries) {
      this.last = id;
      this.pass(command, Math.max(0, Number(now) - Number.parseInt(id)));
    }
    return entries.length < PAGE;
  }

  private receive(text: string): void {
    if (this.isReading && this.waiting.length < MOST_WAITING) {
      this.waiting.push(text);
      return;
    }
    // Otherwise the log has what was missed, and what this message brought.
    if (this.isReading || !this.follow(messageOf(text))) {
      this.read();
    }
  }

  /** Passes the command of a message that follows the last one. Returns whether it does. */
  private follow({ previous, id, command }: ControlMessage): boolean {
    if (previous !== this.last || !isStreamId(id)) {
      return false;
    }
    this.last = id;
    this.pass(command, 0);
    return true;
  }

  private pass(command: string | undefined, age: number): void {
    // The log begins with an entry without a command.
    if (command) {
      this.sink.command(command, age);
    }
  }

  private pollMeanwhile(): void {
    this.poll ??= setInterval(() => this.isSubscribed || this.read(), POLL_MS).unref();
  }
}
