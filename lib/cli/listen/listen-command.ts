import { plain } from '../../channel/plain-text.js';
import { codeOf, type CommandStreams } from '../command-streams.js';
import { acceptAnyCertificate } from '../insecure.js';
import { LISTEN_USAGE, listenSettings, type ListenSettings } from './listen.options.js';
import { isCounted } from './listened-event.js';
import { ListenedStream, type StreamEnd } from './listened-stream.js';
import { hasColours, jsonOf, linesOf, painted } from './output.js';
import { Tally } from './tally.js';

/**
 * The command `listen`.
 * @returns the exit code, once it has ended
 * @throws UsageError and the errors of `parseArgs()` for wrong arguments
 */
export async function listenCommand(
  args: readonly string[],
  streams: CommandStreams,
): Promise<number> {
  const settings = listenSettings(args);
  if (settings === undefined) {
    streams.output.write(LISTEN_USAGE);
    return 0;
  }
  if (settings.insecure) {
    acceptAnyCertificate();
  }
  return new Promise((resolve) => new Listening(settings, streams, resolve).start());
}

/** One run of the command. */
class Listening {
  private readonly tally = new Tally();
  private readonly stream: ListenedStream;
  private readonly timers: NodeJS.Timeout[] = [];
  private isOver = false;

  constructor(
    private readonly settings: ListenSettings,
    private readonly streams: CommandStreams,
    private readonly ended: (code: number) => void,
  ) {
    const { json, count } = settings;
    const isColoured = hasColours(streams.output);
    this.stream = new ListenedStream(settings, {
      event: (event) => {
        // What comes in the same piece of the stream after the last one that is wanted.
        if (this.isOver) return;
        this.tally.note(event);
        streams.output.write(json ? jsonOf(event) : linesOf(event, isColoured));
        if (isCounted(event) && this.tally.events >= count) {
          this.finish(0);
        }
      },
      connected: (after) => this.say(after === '' ? 'connected' : `connected, after ${after}`),
      opened: (isReturn) => {
        if (isReturn) this.tally.returned();
      },
      channels: (names) => {
        if (names.length > 0) this.say(`channels: ${names.join(', ')}`);
      },
      waiting: (wait, why) => this.say(`${why} Again in ${Math.round(wait)} ms.`, 'yellow'),
      end: (end) => this.onEnd(end),
    });
  }

  start(): void {
    const { timeout, rate, count } = this.settings;
    this.streams.onSignal((signal) => this.finish(codeOf(signal)));
    // Nobody reads what comes. That is no fault: head has what it wanted.
    this.streams.onBrokenPipe(() => this.finish(0));
    if (timeout !== undefined) {
      this.timers.push(setTimeout(() => this.finish(count === Infinity ? 0 : 1), timeout));
    }
    if (rate !== undefined) {
      this.timers.push(setInterval(() => this.say(this.tally.report()), rate));
    }
    this.stream.start();
  }

  private onEnd({ isGood, text }: StreamEnd): void {
    if (isGood) this.say(text);
    else this.say(text, 'red', true);
    this.finish(isGood ? 0 : 1);
  }

  private finish(code: number): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stream.stop();
    this.timers.forEach((timer) => clearTimeout(timer));
    this.say(this.tally.summary());
    this.ended(code);
  }

  /** @param isFault whether it is said with --quiet as well */
  private say(text: string, colour: 'dim' | 'yellow' | 'red' = 'dim', isFault = false): void {
    const { errors } = this.streams;
    if (!this.settings.quiet || isFault) {
      errors.write(`${painted(plain(text), colour, hasColours(errors))}\n`);
    }
  }
}
