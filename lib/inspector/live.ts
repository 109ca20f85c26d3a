import { monotonicNow } from '../channel/clock.js';
import type { Metrics } from '../metrics/metrics.js';
import { ChannelRates } from './channel-rates.js';
import { sumsOf, type ChannelSums } from './channel-sums.js';
import {
  countersOf,
  dateOf,
  INSTANCE,
  outagesOf,
  systemsOf,
  totalsOf,
} from './instance-numbers.js';
import type { InspectorSettings } from './inspector.options.js';
import { Kept } from './kept.js';
import { LoopDelay } from './loop-delay.js';
import { OpenStreams, type StreamReader } from './open-streams.js';
import type { Overview } from './overview.js';
import { PacedWork } from './paced-work.js';
import { VERSION } from './page.generated.js';
import { Ticker } from './ticker.js';

const PERIOD_MS = 1_000;
/** The most pages that may be open at the same time. */
const MOST_PAGES = 20;
/** For how long pages that open share an overview, in milliseconds. */
const FRESH_MS = 500;

/** An event of a stream of ours. */
export interface NamedEvent {
  readonly type: string;
  readonly data: string;
}

/** The stream of overviews: one timer, one walk and one text for all open pages. */
export class Live {
  readonly rates = new ChannelRates();
  private readonly pages = new OpenStreams(MOST_PAGES, 'pages', () => this.rest());
  private readonly loopDelay = new LoopDelay();
  private readonly ticker: Ticker;
  private readonly sums: Kept<ChannelSums>;
  private made: { readonly text: Promise<string>; readonly at: number } | undefined;

  constructor(
    private readonly metrics: Metrics,
    private readonly settings: InspectorSettings,
  ) {
    const { detach } = metrics.delivery;
    this.ticker = new Ticker(PERIOD_MS, detach);
    this.sums = new Kept(new PacedWork(), detach);
  }

  /** @throws HttpException 503 when too many pages are open */
  events(): AsyncIterable<NamedEvent> {
    this.pages.check();
    return this.pages.counted((reader) => this.overviews(reader));
  }

  private async *overviews(reader: StreamReader): AsyncGenerator<NamedEvent> {
    while (!reader.hasLeft) {
      yield { type: 'overview', data: await this.text() };
      await this.ticker.next(reader);
    }
  }

  private text(): Promise<string> {
    const now = performance.now();
    if (!this.made || now - this.made.at > FRESH_MS) {
      this.made = { text: this.make(), at: now };
    }
    return this.made.text;
  }

  private async make(): Promise<string> {
    const { metrics, settings } = this;
    const { channels } = metrics.delivery;
    const sums = await this.sums.get('', () => sumsOf(channels, this.rates));
    const overview: Overview = {
      // Not by the system's time, which can be set: ages and rates are differences of our dates.
      at: dateOf(monotonicNow()),
      instance: INSTANCE,
      version: VERSION,
      startedAt: dateOf(0),
      ...settings,
      totals: totalsOf(metrics, sums, this.loopDelay.read()),
      ...countersOf(metrics),
      systems: systemsOf(metrics),
      outages: outagesOf(metrics.delivery.tally),
    };
    return JSON.stringify(overview);
  }

  /** No page is open any more. */
  private rest(): void {
    this.loopDelay.stop();
    this.rates.forget();
    this.made = undefined;
  }
}
