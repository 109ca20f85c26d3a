import { monotonicNow } from '../../channel/clock.js';
import { SseError } from '../../channel/sse-error.js';
import { quoteName } from './identifier.js';
import { isDataRefusal } from './postgres-error.js';
import type { Session } from './session.js';
import { WakeableSleep } from './wakeable-sleep.js';

/** Channels per round trip; a reconnect with thousands of them takes few. */
const BATCH = 100;

export interface ListenChannelEvents {
  /** True while somebody wants to hear the channel. */
  wanted(channel: string): boolean;
  /** The server has confirmed LISTEN. */
  listening(channel: string): void;
  /** The server cannot listen to the channel: its encoding lacks a character of the name. */
  refused(channel: string, reason: unknown): void;
}

interface Command {
  readonly verb: 'LISTEN' | 'UNLISTEN';
  readonly channel: string;
}

/**
 * Keeps one session listening to the channels that somebody wants to hear.
 *
 * Commands go one after another. Each looks at what is wanted when it is sent, so that LISTEN
 * follows an UNLISTEN that a new reader has overtaken.
 */
export class ListenChannels {
  /** The channels for which the server has confirmed LISTEN, and which were not given up since. */
  private readonly listened = new Set<string>();
  /** The channels that somebody has begun or ceased to want since the last command. */
  private readonly changed = new Set<string>();
  private readonly pause = new WakeableSleep();

  /** @param healthInterval between two checks that the session still listens, in milliseconds */
  constructor(
    private readonly session: Session,
    private readonly events: ListenChannelEvents,
    private readonly healthInterval: number,
  ) {}

  /** Whether the server has confirmed LISTEN, and nothing has changed since. */
  isListening(channel: string): boolean {
    return this.listened.has(channel) && !this.session.isClosed;
  }

  /** Somebody wants to hear the channel, or nobody does any longer. */
  change(channel: string): void {
    this.changed.add(channel);
    this.pause.wake();
  }

  /**
   * Listens for as long as the session lasts.
   *
   * @param works is called once the server has confirmed LISTEN to all channels. A server that
   *   accepts connections and refuses LISTEN is no success.
   * @throws Error when the session is lost, or the server refuses more than a channel's name
   */
  async serve(channels: Iterable<string>, works: () => void): Promise<never> {
    await this.checkServer();
    for (const channel of channels) {
      this.changed.add(channel);
    }
    await this.tellServer();
    const { signal } = this.session;
    signal.addEventListener('abort', () => this.pause.wake());
    signal.throwIfAborted();
    works();
    for (let nextCheck = monotonicNow() + this.healthInterval; ;) {
      signal.throwIfAborted();
      await this.pause.sleep(Math.max(0, nextCheck - monotonicNow()));
      await this.tellServer();
      if (monotonicNow() >= nextCheck) {
        await this.checkHealth();
        nextCheck = monotonicNow() + this.healthInterval;
      }
    }
  }

  private async checkServer(): Promise<void> {
    if (this.session.isStandby) {
      throw new SseError(
        'UNAVAILABLE',
        `Postgres at ${this.session.target} is a standby, and a standby refuses LISTEN. Connect to the primary, with \`listenConnection\` if need be.`,
      );
    }
    this.session.refusePooler();
    // Postgres advances the queue's tail when asked for its usage, past entries whose transaction
    // status is gone. Otherwise LISTEN would stumble over them for ever. A database in SQL_ASCII may
    // hold any bytes: if the server checked them, a payload that is no UTF-8 would end the session.
    await this.session.query({
      text: `select pg_notification_queue_usage(), case current_setting('server_encoding')
        when 'SQL_ASCII' then set_config('client_encoding', 'SQL_ASCII', false) end`,
    });
  }

  private async checkHealth(): Promise<void> {
    const [row] = await this.session.query<{ pid: number; channels: string[] }>({
      text: 'select pg_backend_pid() as pid, array(select pg_listening_channels()) as channels',
    });
    const heard = new Set(row?.channels);
    if (
      row?.pid !== this.session.pid ||
      [...this.listened].some((channel) => !heard.has(channel))
    ) {
      throw new Error('the server no longer listens to every channel of this library');
    }
  }

  private async tellServer(): Promise<void> {
    while (this.changed.size > 0 && !this.session.isClosed) {
      await this.execute(this.nextCommands());
    }
  }

  /** The commands for changed channels, or for some of them when they are many. */
  private nextCommands(): readonly Command[] {
    const commands: Command[] = [];
    for (const channel of this.changed) {
      this.changed.delete(channel);
      const wanted = this.events.wanted(channel);
      if (wanted && !this.listened.has(channel)) {
        commands.push({ verb: 'LISTEN', channel });
      } else if (!wanted && this.listened.delete(channel)) {
        commands.push({ verb: 'UNLISTEN', channel });
      }
      if (commands.length === BATCH) {
        break;
      }
    }
    return commands;
  }

  /** Runs commands in one round trip. One whose name the server refuses takes no other with it. */
  private async execute(commands: readonly Command[]): Promise<void> {
    if (commands.length === 0) {
      return;
    }
    try {
      const texts = commands.map(({ verb, channel }) => `${verb} ${quoteName(channel)}`);
      await this.session.query({ text: texts.join(';') });
    } catch (error) {
      if (!isDataRefusal(error)) {
        throw error;
      }
      if (commands.length === 1) {
        this.events.refused(commands[0]!.channel, error);
        return;
      }
      for (const command of commands) {
        await this.execute([command]);
      }
      return;
    }
    for (const { verb, channel } of commands) {
      if (verb === 'LISTEN') {
        this.listened.add(channel);
        if (this.events.wanted(channel)) {
          this.events.listening(channel);
        }
      }
    }
  }
}
