import { plain, plainJson } from '../../channel/plain-text.js';
import { reasonOf } from '../../channel/reason.js';
import { codeOf, type CommandStreams } from '../command-streams.js';
import { acceptAnyCertificate } from '../insecure.js';
import { dataOf, eventOfLine, lineOf, type EventLine } from './event-lines.js';
import { LineQueue } from './line-queue.js';
import type { EventAnswer } from './publish-request.js';
import { PUBLISH_USAGE, publishSettings, type PublishSettings } from './publish.options.js';
import { Publishing } from './publishing.js';

/**
 * The command `publish`.
 * @returns the exit code, once it has ended
 * @throws UsageError and the errors of `parseArgs()` for wrong arguments
 */
export async function publishCommand(
  args: readonly string[],
  streams: CommandStreams,
): Promise<number> {
  const settings = publishSettings(args);
  if (settings === undefined) {
    streams.output.write(PUBLISH_USAGE);
    return 0;
  }
  if (settings.insecure) {
    acceptAnyCertificate();
  }
  return new PublishRun(settings, streams).run();
}

/** One run of the command. */
class PublishRun {
  private readonly stop = new AbortController();
  private readonly publishing: Publishing;
  private code: number | undefined;
  private sent = 0;
  private duplicates = 0;
  private failed = 0;

  constructor(
    private readonly settings: PublishSettings,
    private readonly streams: CommandStreams,
  ) {
    this.publishing = new Publishing(
      settings,
      (line, answer) => this.note(line.line, answer),
      (text) => this.say(text),
      this.stop.signal,
    );
  }

  async run(): Promise<number> {
    const { streams, settings } = this;
    // Whoever reads the answers may leave: the events are published all the same.
    streams.onBrokenPipe(() => undefined);
    streams.onSignal((signal) => {
      this.code = codeOf(signal);
      this.stop.abort();
    });
    try {
      await (settings.data === undefined ? this.publishLines() : this.publishOne(settings.data));
    } catch (error) {
      if (!this.stop.signal.aborted) throw error;
    }
    if (settings.data === undefined || this.code !== undefined) {
      this.say(
        `${this.sent} published, ${this.duplicates} of them there already, ${this.failed} failed`,
      );
    }
    return this.code ?? (this.failed > 0 || this.publishing.refusal ? 1 : 0);
  }

  private async publishOne(text: string): Promise<void> {
    const { format, id, key } = this.settings;
    const event = {
      channel: format.channel,
      data: dataOf(text, format.isText),
      ...(format.type !== undefined && { type: format.type }),
      ...(id !== undefined && { id }),
      ...(key !== undefined && { idempotencyKey: key }),
    };
    await this.publishing.publish([lineOf(undefined, event)]);
  }

  private async publishLines(): Promise<void> {
    const { format, key, batch } = this.settings;
    const queue = new LineQueue(this.streams.input, (text, line) => {
      if (text.trim() === '') return undefined;
      try {
        return eventOfLine(text, line, format, key);
      } catch (error) {
        const message = reasonOf(error);
        this.note(line, { status: 'failed', error: { statusCode: 0, message } });
        return undefined;
      }
    });
    this.stop.signal.addEventListener('abort', () => queue.close());
    for (;;) {
      const lines: EventLine[] = await queue.take(batch);
      if (lines.length === 0) {
        return;
      }
      await this.publishing.publish(lines);
      if (this.publishing.refusal) {
        this.say('The rest is not sent.');
        queue.close();
        return;
      }
    }
  }

  private note(line: number | undefined, answer: EventAnswer): void {
    const { output } = this.streams;
    const where = line === undefined ? {} : { line };
    if (answer.status === 'sent') {
      const { id, duplicate } = answer;
      this.sent++;
      this.duplicates += duplicate ? 1 : 0;
      const { json } = this.settings;
      const said = json ? plainJson({ ...where, status: 'sent', id, duplicate }) : plain(id);
      output.write(`${said}\n`);
      return;
    }
    this.failed++;
    const { statusCode, code, message } = answer.error;
    const status = statusCode === 0 ? {} : { statusCode };
    if (this.settings.json) {
      const said = { ...where, status: 'failed', ...status, ...(code && { code }), message };
      output.write(`${plainJson(said)}\n`);
    } else {
      const at = line === undefined ? '' : `line ${line}: `;
      const what = [statusCode || '', code ?? ''].filter((part) => part !== '').join(' ');
      this.say(`${at}${what}${what && ': '}${message}`, true);
    }
  }

  /** @param isFault whether it is said with --quiet as well */
  private say(text: string, isFault = false): void {
    if (!this.settings.quiet || isFault) {
      this.streams.errors.write(`${plain(text)}\n`);
    }
  }
}
