import { quoteName } from './identifier.js';
import { isDataRefusal } from './postgres-error.js';

/** Channels per round trip; a reconnect with thousands of them takes few. */
const BATCH = 100;

/** What becomes of the channels of a session. */
export interface ListenChannelEvents {
  /** True while somebody wants to hear the channel. */
  wanted(channel: string): boolean;
  /** The server has confirmed LISTEN. */
  listening(channel: string): void;
  /** The server cannot listen to the channel: its encoding lacks a character of the name. */
  refused(channel: string, reason: unknown): void;
}

/** What is to be told to the server about a channel. */
interface Command {
  readonly verb: 'LISTEN' | 'UNLISTEN';
  readonly channel: string;
}

/** The channels that one session listens to, and those about which the server is to be told. */
export class ListenChannels {
  /** Those for which the server has confirmed LISTEN, and nothing has been done since. */
  readonly listened = new Set<string>();
  readonly #changed = new Set<string>();
  readonly #query: (text: string) => Promise<unknown>;
  readonly #events: ListenChannelEvents;

  constructor(query: (text: string) => Promise<unknown>, events: ListenChannelEvents) {
    this.#query = query;
    this.#events = events;
  }

  get haveChanged(): boolean {
    return this.#changed.size > 0;
  }

  /** Somebody wants to hear the channel, or nobody does any longer. */
  change(channel: string): void {
    this.#changed.add(channel);
  }

  /**
   * Tells the server, in one round trip, of what has changed; of some, when that is much.
   *
   * @throws Error when the server does not answer, or refuses more than a name.
   */
  async applySome(): Promise<void> {
    const commands: Command[] = [];
    for (const channel of this.#changed) {
      this.#changed.delete(channel);
      const wanted = this.#events.wanted(channel);
      if (wanted && !this.listened.has(channel)) {
        commands.push({ verb: 'LISTEN', channel });
      } else if (!wanted && this.listened.delete(channel)) {
        commands.push({ verb: 'UNLISTEN', channel });
      }
      if (commands.length === BATCH) {
        break;
      }
    }
    if (commands.length > 0) {
      await this.#execute(commands);
    }
  }

  /** Runs commands. One that the server refuses, for its name, takes no other with it. */
  async #execute(commands: readonly Command[]): Promise<void> {
    try {
      const texts = commands.map(({ verb, channel }) => `${verb} ${quoteName(channel)}`);
      await this.#query(texts.join(';'));
    } catch (error) {
      if (!isDataRefusal(error)) {
        throw error;
      }
      if (commands.length === 1) {
        this.#events.refused(commands[0]!.channel, error);
        return;
      }
      for (const command of commands) {
        await this.#execute([command]);
      }
      return;
    }
    for (const { verb, channel } of commands) {
      if (verb === 'LISTEN') {
        this.listened.add(channel);
        if (this.#events.wanted(channel)) {
          this.#events.listening(channel);
        }
      }
    }
  }
}
