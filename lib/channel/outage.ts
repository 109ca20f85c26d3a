import { monotonicNow } from './clock.js';
import type { SseLogger } from './source.js';
import { tallyOf, type NotedOutage, type OutageSystem, type Tally } from './tally.js';

/** A time in which a system fails. Logs one line when it begins and one when it ends, and counts it. */
export class Outage {
  /** When it began, on the clock of `monotonicNow()`; `undefined` while there is none. */
  private since: number | undefined;
  private readonly tally: Tally | undefined;
  private noted: NotedOutage | undefined;

  /** @param system what is away; nothing is counted without it */
  constructor(
    private readonly log: SseLogger,
    private readonly system?: OutageSystem,
  ) {
    this.tally = system && tallyOf(log);
  }

  get lasts(): boolean {
    return this.since !== undefined;
  }

  /** For how long it lasts, in milliseconds; `undefined` when there is none. */
  get lastsFor(): number | undefined {
    return this.since === undefined ? undefined : monotonicNow() - this.since;
  }

  /** Begins the outage, and logs `text` unless it had begun before. */
  begin(text: string): void {
    if (this.since === undefined) {
      this.since = monotonicNow();
      this.noted = this.tally?.beginOutage(this.system!, this.since, text);
      this.log.error(text);
    }
  }

  /** Ends the outage, and logs `text` if there was one. */
  end(text: string): void {
    if (this.since !== undefined) {
      this.drop();
      this.log.log(text);
    }
  }

  /** Ends the outage without a line, as nobody needs the system any more. */
  drop(): void {
    if (this.noted) {
      this.tally!.endOutage(this.noted, this.since!, monotonicNow());
    }
    this.noted = undefined;
    this.since = undefined;
  }
}
