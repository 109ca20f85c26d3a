import type { RunRecord } from '../channel/runs.js';
import { ofKind } from '../channel/source-kind.js';
import type { ChannelSink, ChannelSource } from '../channel/source.js';
import type { KnownRun, LostEnd } from './known-run.js';
import { RunFeed } from './run-feed.js';
import type { FormattedRun, RunServices } from './run-services.js';

/**
 * One run as a source. It feeds one channel, under the name of the run's channel, so that each run has a
 * log of its own beside that of what `send()` publishes.
 */
export class RunLog implements ChannelSource, KnownRun {
  head: number;
  hasEnded: boolean;
  lease: number;
  had: number;
  lost?: LostEnd;

  constructor(
    readonly run: FormattedRun,
    { head, hasEnded, leaseLeft }: Pick<RunRecord, 'head' | 'hasEnded' | 'leaseLeft'>,
    private readonly services: RunServices,
  ) {
    ofKind('run', this);
    this.head = head;
    this.had = hasEnded ? 0 : head;
    this.hasEnded = hasEnded;
    this.lease = leaseLeft;
  }

  open(_channel: string, sink: ChannelSink): RunFeed {
    return new RunFeed(this, sink, this.services);
  }
}

/** The logs of the runs that somebody on this instance reads, or may read. */
export class RunLogs {
  private readonly logs = new Map<string, WeakRef<RunLog>>();
  private readonly unused = new FinalizationRegistry<string>((id) => {
    if (!this.logs.get(id)?.deref()) {
      this.logs.delete(id);
    }
  });

  constructor(private readonly services: RunServices) {}

  /** The log of a run, the same for all who use it at a time. */
  of({ channel, id, format, ...state }: RunRecord): RunLog {
    let log = this.logs.get(id)?.deref();
    if (!log) {
      log = new RunLog({ channel, id, format }, state, this.services);
      this.logs.set(id, new WeakRef(log));
      this.unused.register(log, id);
    }
    return log;
  }
}
