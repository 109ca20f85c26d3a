import { GatheredLog } from '../../channel/gathered-log.js';
import type { Lifecycle, SseLogger } from '../../channel/source.js';
import { tallyOf, type CountingLog } from '../../channel/tally.js';

/**
 * Where the polled functions of an application log. They often ask one database: what it does to many of
 * them within a second becomes one line, which counts them.
 */
export class PollLog implements Lifecycle {
  private readonly gathered: GatheredLog;
  private functions = 0;

  constructor(private readonly logger: SseLogger) {
    this.gathered = new GatheredLog(logger);
  }

  /** The log of one function. */
  ofOne(): CountingLog {
    const name = `${++this.functions}`;
    const note = (level: keyof SseLogger) => (line: string) =>
      this.gathered.note(name, {
        level,
        line,
        cause: line,
        several: (count) => `For ${count} polled functions: ${line}`,
      });
    return {
      log: note('log'),
      warn: note('warn'),
      error: note('error'),
      tally: tallyOf(this.logger),
    };
  }

  /** Writes what waits. */
  async stop(): Promise<void> {
    this.gathered.stop();
  }
}
