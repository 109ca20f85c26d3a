import { until } from '../../support/until.js';

/** A tab of a real browser. */
export interface BrowserTab {
  /** @returns what the expression is in the page; it must be JSON */
  run<Result>(expression: string): Promise<Result>;
  reload(): Promise<void>;
  go(url: string): Promise<void>;
  /** Goes back in its history by one page. */
  back(): Promise<void>;
  /** The number of the process that runs its page. */
  process(): Promise<number>;
  close(): Promise<void>;
}

/** A browser whose tabs a test opens. */
export interface TabBrowser<Tab extends BrowserTab = BrowserTab> {
  /** The number of the process that has started all others. */
  readonly pid: number;
  open(url: string): Promise<Tab>;
  close(): Promise<void>;
}

/** What a tab has received of a channel. */
export interface ShownChannel {
  readonly first: number;
  readonly last: number;
  /** Whether each number is there once, in order. */
  readonly isWhole: boolean;
  readonly opened: number;
  readonly resets: number;
  readonly denied: number;
  readonly ended: number;
}

/** What a tab shows. */
export interface Shown {
  readonly channels: Readonly<Record<string, ShownChannel>>;
  readonly statuses: readonly string[];
  readonly fallbacks: readonly string[];
  readonly isLeader: boolean;
  /** How often the page came back from the back-forward cache. */
  readonly returns: number;
  /** What was received of channels before they were unwanted, and lacks or repeats a number. */
  readonly brokenPast: readonly number[][];
}

/** A tab with a client, which wants channels. */
export class ClientTab<Tab extends BrowserTab = BrowserTab> {
  constructor(
    readonly tab: Tab,
    /** What it wants. */
    public names: readonly string[],
  ) {}

  /** Wants its channels, and waits until all of them are open. */
  async begin(from?: string): Promise<void> {
    await this.want(this.names, from);
    await this.shows(
      ({ channels }) => this.names.every((name) => channels[name]?.opened),
      'all channels open',
    );
  }

  want(names: readonly string[], from?: string): Promise<void> {
    return this.tab.run(
      `tab.want(${JSON.stringify(names)}, ${JSON.stringify(from) ?? 'undefined'}) ?? null`,
    );
  }

  shown(): Promise<Shown> {
    return this.tab.run<Shown>('tab.shown()');
  }

  async shows(condition: (shown: Shown) => unknown, what: string): Promise<Shown> {
    let last: Shown | undefined;
    try {
      return await until(
        async () => {
          last = await this.shown();
          return condition(last) ? last : undefined;
        },
        { every: 20, what },
      );
    } catch (error) {
      const text = `${(error as Error).message}; the tab shows ${JSON.stringify(last)}`;
      throw new Error(text, { cause: error });
    }
  }

  /** Waits until it has the last number of each channel, and tells what is wrong with them. */
  async faults(last: number): Promise<string[]> {
    const { names } = this;
    const { channels, brokenPast } = await this.shows(
      (shown) => names.every((name) => (shown.channels[name]?.last ?? 0) >= last),
      `number ${last} in each channel`,
    );
    return [
      ...Object.entries(channels)
        .filter(([, { isWhole, resets }]) => !isWhole || resets > 0)
        .map(([name, channel]) => `${name}: ${JSON.stringify(channel)}`),
      ...brokenPast.map((numbers) => `before it was unwanted: ${numbers.join()}`),
    ];
  }
}
