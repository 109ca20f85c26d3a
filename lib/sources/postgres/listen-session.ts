import { SseError } from '../../channel/sse-error.js';
import { ListenChannels, type ListenChannelEvents } from './listen-channels.js';
import {
  answerOf,
  createClient,
  destroyClient,
  endClient,
  sessionSql,
  sessionStart,
} from './own-client.js';
import type { PgClient, PgModule } from './pg-types.js';
import type { PgConfig } from './postgres.options.js';

/** What a session reports. */
export interface ListenSessionEvents extends ListenChannelEvents {
  notified(channel: string, payload: string): void;
}

/** The times of a session, in milliseconds. */
export interface ListenSessionTimes {
  /** Between two health checks. */
  readonly healthInterval: number;
  /** How long the server may be silent while an answer is waited for, also during the set-up. */
  readonly timeout: number;
}

/**
 * One connection that listens, from its set-up to its loss; it is not used again after.
 *
 * Commands go one after another. Each looks at what is wanted when it is sent, so that an
 * UNLISTEN that is overtaken by a new reader is followed by a LISTEN.
 */
export class ListenSession {
  /** Resolves with the reason once the connection is lost. */
  readonly lost: Promise<Error>;

  readonly #client: PgClient;
  readonly #events: ListenSessionEvents;
  readonly #times: ListenSessionTimes;
  readonly #channels: ListenChannels;
  #lose!: (reason: Error) => void;
  #health: NodeJS.Timeout | undefined;
  #checkDue = false;
  #state: 'opening' | 'open' | 'closed' = 'opening';
  #working = false;

  constructor(
    pg: PgModule,
    config: PgConfig,
    events: ListenSessionEvents,
    times: ListenSessionTimes,
  ) {
    this.#events = events;
    this.#times = times;
    this.#channels = new ListenChannels((text) => this.#query(text), events);
    this.lost = new Promise((resolve) => (this.#lose = resolve));
    this.#client = createClient(pg, config, 'listen', (reason) => this.#fail(reason));
    this.#client.on('notification', ({ channel, payload }) => {
      if (this.#state !== 'closed') {
        this.#events.notified(channel, payload ?? '');
      }
    });
  }

  /** Where the connection goes, for people; without credentials. */
  get target(): string {
    const { host, port, database } = this.#client;
    return `${host}:${port}/${database ?? ''}`;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /**
   * Connects, makes sure that the server can notify, and listens to the channels.
   *
   * @throws Error when that fails; the socket is destroyed then.
   */
  async open(channels: Iterable<string>): Promise<void> {
    try {
      // A set-up that waits for something else than the socket, such as the user's password
      // function, must not outlive a close().
      const lost = this.lost.then((reason) => Promise.reject(reason));
      await Promise.race([lost, this.#setUp(channels)]);
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    }
    this.#state = 'open';
    this.#scheduleCheck();
    this.#run();
  }

  /** True when the server has confirmed LISTEN and nothing has been done about it since. */
  isListening(channel: string): boolean {
    return this.#channels.listened.has(channel) && this.#state !== 'closed';
  }

  /** Tells the session that a channel is wanted, or no longer. */
  change(channel: string): void {
    this.#channels.change(channel);
    this.#run();
  }

  /** Ends the connection; resolves in any case. */
  async close(): Promise<void> {
    const polite = this.#state === 'open';
    this.#state = 'closed';
    clearTimeout(this.#health);
    if (polite) {
      await endClient(this.#client);
    } else {
      destroyClient(this.#client);
    }
    this.#lose(new Error('closed'));
  }

  #fail(error: Error): void {
    if (this.#state === 'closed') {
      return;
    }
    this.#state = 'closed';
    clearTimeout(this.#health);
    destroyClient(this.#client);
    this.#lose(error);
  }

  async #setUp(channels: Iterable<string>): Promise<void> {
    await this.#answer('connect', this.#client.connect());
    await this.#verify();
    for (const channel of channels) {
      this.#channels.change(channel);
    }
    await this.#applyChanges();
    if (this.#state === 'closed') {
      throw await this.lost;
    }
  }

  async #verify(): Promise<void> {
    const { isPooled, isStandby } = sessionStart(
      await this.#query(sessionSql(this.#client.processID)),
    );
    // Asking for the queue's usage lets Postgres advance its tail, past entries whose
    // transaction status is gone; LISTEN would stumble over them for ever.
    await this.#query('select pg_notification_queue_usage()');
    if (isStandby) {
      throw new SseError(
        'UNAVAILABLE',
        `Postgres at ${this.target} is a standby, and a standby refuses LISTEN. Connect to the primary, with the option "listenConnection" if need be.`,
      );
    }
    if (isPooled) {
      throw new SseError(
        'UNAVAILABLE',
        `Postgres at ${this.target} is reached through a connection pooler (such as PgBouncer), which loses notifications. Set the option "listenConnection" to a direct connection to the server.`,
      );
    }
  }

  #run(): void {
    if (this.#state === 'open' && !this.#working) {
      void this.#command();
    }
  }

  async #command(): Promise<void> {
    this.#working = true;
    try {
      do {
        await this.#applyChanges();
        if (this.#checkDue) {
          await this.#check();
        }
      } while (this.#state === 'open' && (this.#channels.haveChanged || this.#checkDue));
    } catch (error) {
      this.#fail(error as Error);
    } finally {
      this.#working = false;
    }
  }

  async #applyChanges(): Promise<void> {
    while (this.#channels.haveChanged && this.#state !== 'closed') {
      await this.#channels.applySome();
    }
  }

  async #check(): Promise<void> {
    this.#checkDue = false;
    const [row] = await this.#query<{ pid: number; channels: string[] }>(
      'select pg_backend_pid() as pid, array(select pg_listening_channels()) as channels',
    );
    const heard = new Set(row?.channels);
    if (
      row?.pid !== this.#client.processID ||
      [...this.#channels.listened].some((channel) => !heard.has(channel))
    ) {
      throw new Error('the server no longer listens to the channels it was told to');
    }
    this.#scheduleCheck();
  }

  #scheduleCheck(): void {
    if (this.#state === 'open') {
      this.#health = setTimeout(() => {
        this.#checkDue = true;
        this.#run();
      }, this.#times.healthInterval);
    }
  }

  async #query<Row>(text: string): Promise<readonly Row[]> {
    const { rows } = await this.#answer('query', this.#client.query(text));
    return rows as readonly Row[];
  }

  async #answer<T>(what: string, work: Promise<T>): Promise<T> {
    return answerOf(this.#client, this.#times.timeout, what, work);
  }
}
