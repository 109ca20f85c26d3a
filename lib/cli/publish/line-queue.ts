import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { EventLine } from './event-lines.js';

/** How many lines wait at most before no more are read. */
const MOST_WAITING = 2_000;
/** The most bytes of a request's events. Express takes a body of 100 KiB unless it is told otherwise. */
const MOST_BYTES = 64 * 1_024;

/** The events of stdin that wait to be published: read as they come, and no faster than they are taken. */
export class LineQueue {
  private readonly waiting: EventLine[] = [];
  private readonly lines;
  private isEnded = false;
  private wake: () => void = () => undefined;
  private count = 0;

  /** @param take makes an event of a line that is not blank; `undefined` for none */
  constructor(input: Readable, take: (text: string, line: number) => EventLine | undefined) {
    this.lines = createInterface({ input, crlfDelay: Infinity });
    this.lines.on('line', (text) => {
      const event = take(text, ++this.count);
      if (event) {
        this.waiting.push(event);
      }
      if (this.waiting.length >= MOST_WAITING) {
        this.lines.pause();
      }
      this.wake();
    });
    this.lines.on('close', () => this.end());
    input.on('error', () => this.end());
  }

  /**
   * Waits for events, and takes what is there.
   * @param most how many
   * @returns none at the end
   */
  async take(most: number): Promise<EventLine[]> {
    while (this.waiting.length === 0 && !this.isEnded) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    let [count, bytes] = [0, 0];
    for (const event of this.waiting) {
      bytes += event.bytes;
      if (count === most || (count > 0 && bytes > MOST_BYTES)) {
        break;
      }
      count++;
    }
    const taken = this.waiting.splice(0, count);
    if (!this.isEnded) {
      this.lines.resume();
    }
    return taken;
  }

  /** Reads no more, and gives no more. */
  close(): void {
    this.waiting.length = 0;
    this.lines.close();
    this.end();
  }

  private end(): void {
    this.isEnded = true;
    this.wake();
  }
}
