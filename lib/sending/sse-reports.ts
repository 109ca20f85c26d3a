import { LimitedLog } from '../channel/limited-log.js';
import { SendReport } from '../channel/send-report.js';
import type { SseLogger } from '../channel/source.js';
import type { SseSettings } from '../setup/settings.js';

/**
 * Log failures of `send()`, `sendKey()`, `notify()`, `disconnect()`, `run()` and `stop()`, so that nobody need await the
 * promises. Each system behind them has its own report, as one can fail while another works.
 */
export class SseReports {
  readonly published: SendReport;
  readonly keys: SendReport;
  readonly notified: SendReport;
  readonly commanded: SendReport;
  readonly runs: SendReport;

  constructor({ broker, cache }: SseSettings, log: SseLogger) {
    const mistakes = new LimitedLog(log);
    this.published = new SendReport(log, mistakes);
    this.notified = new SendReport(log, mistakes);
    this.commanded = new SendReport(log, mistakes, 'A command to end connections');
    this.runs = new SendReport(log, mistakes, 'A run, or its stop,');
    // Then send() and sendKey() fail together, and one line is enough.
    const areBothOnRedis = broker === 'redis' && cache === undefined;
    this.keys = areBothOnRedis ? this.published : new SendReport(log, mistakes);
  }
}
