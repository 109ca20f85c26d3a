import { Inject, Injectable } from '@nestjs/common';
import { setMaxListeners } from 'node:events';
import { checkChannelName } from '../channel/channel-name.js';
import { monotonicNow } from '../channel/clock.js';
import { settledWithin } from '../channel/deadline.js';
import { LimitedLog } from '../channel/limited-log.js';
import { Outage } from '../channel/outage.js';
import { asReported } from '../channel/reported.js';
import type { OwnRunStore, RunName, RunRecord } from '../channel/runs.js';
import type { ChannelSource } from '../channel/source.js';
import { shuttingDown } from '../channel/shutting-down.js';
import { SseError } from '../channel/sse-error.js';
import { Delivery } from '../delivery/delivery.js';
import {
  RUN_OPTIONS,
  STOP_OPTIONS,
  type RunOptions,
  type StopOptions,
} from '../setup/run-options.js';
import { SSE_SETTINGS, type SseSettings } from '../setup/settings.js';
import { SseSources } from '../setup/sse-sources.js';
import { readOptions } from '../sources/options/option-table.js';
import { ActiveRun } from './active-run.js';
import { beginRun, newRunId } from './begin-run.js';
import { RunFormats } from './formats/formats.js';
import { SHUTDOWN, stoppedChunks } from './last-chunks.js';
import { tooManyRuns } from './run-errors.js';
import { RunLogs } from './run-log.js';
import { runPosition } from './run-position.js';
import { RunPlaces, type PlaceInRun } from './run-places.js';
import { endRun, reached, type RunServices } from './run-services.js';
import { RunTurns } from './run-turns.js';
import { holdErrors } from './source/hold-errors.js';
import type { RunSource } from './source/run-source.js';
import type { SseRun } from './sse-run.js';

/** How long `run()` waits for the first value of a source, in milliseconds. */
const FIRST_VALUE_MS = 1_000;
/** How long the shutdown waits until the store has the ends of runs, in milliseconds. */
const END_MS = 1_000;

/** The runs that this instance has begun, and those that its clients follow. */
@Injectable()
export class Runs {
  private readonly active = new Map<string, ActiveRun>();
  private readonly turns = new RunTurns();
  private readonly formats: RunFormats;
  private opened:
    (RunServices & { readonly logs: RunLogs; readonly places: RunPlaces }) | undefined;
  /** Calls of `run()` that are under way. */
  private readonly beginning = new Set<Promise<SseRun>>();
  /** The ids of runs that the store may have, and that are not active yet. */
  private readonly asked = new Set<string>();
  private readonly closing = new AbortController();

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly delivery: Delivery,
    private readonly sources: SseSources,
  ) {
    this.formats = new RunFormats(settings);
    // Each call that waits for the store listens.
    setMaxListeners(0, this.closing.signal);
  }

  /** How many runs of this instance are active. */
  get size(): number {
    return this.active.size;
  }

  /** Begins a run, and resolves once its source has emitted something, or after a moment. */
  async run(channel: string, source: RunSource, options: RunOptions): Promise<SseRun> {
    holdErrors(source);
    checkChannelName(channel);
    const given = readOptions(RUN_OPTIONS, options, '', 'run(): ');
    const { services } = this;
    const { active: most } = this.settings.runs;
    if (this.active.size + this.asked.size >= most) {
      const error = tooManyRuns(most);
      // The request is answered with 503; an operator may want to raise the limit.
      services.log.warn(error.message);
      throw asReported(error);
    }
    const id = newRunId();
    this.asked.add(id);
    const run = this.delivery.detach(() => this.begin({ channel, id }, source, given, services));
    this.beginning.add(run);
    try {
      return await run;
    } finally {
      this.asked.delete(id);
      this.beginning.delete(run);
    }
  }

  /** Stops the active run of a channel. Returns whether there was one. */
  async stop(channel: string, options: StopOptions): Promise<boolean> {
    checkChannelName(channel);
    const { reason } = readOptions(STOP_OPTIONS, options, '', 'stop(): ');
    const { services } = this;
    return this.delivery.detach(async () => {
      const run = await reached(() => services.store.find(channel), services.closing);
      return run !== undefined && !run.hasEnded && this.end(run, reason, services);
    });
  }

  /**
   * Notes that an endpoint follows runs.
   * @throws SseError `INVALID_OPTION` for a source that is not the broker, or a broker that has no runs
   */
  followFrom(source: ChannelSource): void {
    if (source !== this.sources.broker) {
      throw new SseError(
        'INVALID_OPTION',
        '`run` follows what `run()` begins, which the broker keeps, and this endpoint has another ' +
          '`source`. Leave one of them out.',
      );
    }
    void this.services;
  }

  /** Where a client begins to read the runs of a channel; `undefined` when there is nothing to read. */
  placeIn(channel: string, lastEventId: string | undefined): Promise<PlaceInRun | undefined> {
    const { services } = this;
    return this.delivery.detach(() => services.places.find(channel, lastEventId));
  }

  /** Gives the active runs their time to end, and ends those that are left. No run begins from here on. */
  async drain(timeout: number): Promise<void> {
    this.closing.abort();
    const runs = [...this.active.values()];
    const ends = Promise.allSettled([...runs.map(({ done }) => done), ...this.beginning]);
    if (!(await settledWithin(ends, timeout))) {
      runs.forEach((run) => run.shutDown());
      await settledWithin(ends, END_MS);
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    const { opened, delivery } = this;
    const closed = delivery.guard.run('close() of the store of runs', () => opened?.store.close());
    await settledWithin(Promise.resolve(closed), END_MS);
  }

  private async begin(
    { channel, id }: RunName,
    source: RunSource,
    given: ReturnType<typeof readOptions<typeof RUN_OPTIONS>>,
    services: NonNullable<typeof this.opened>,
  ): Promise<SseRun> {
    const { runs, limits } = this.settings;
    const { format, replace } = given;
    const { lease = runs.lease, keep = runs.keep, bytes = runs.bytes } = given;
    const run = { channel, id, format, lease, keep };
    const end = replace ? (other: RunRecord) => this.end(other, 'replaced', services) : undefined;
    const { closing } = services;
    const begun = await beginRun(run, services, end).catch((error: unknown) => {
      if (closing.aborted) {
        return undefined;
      }
      throw error;
    });
    if (!begun || closing.aborted) {
      // A call that failed may have begun the run as well. The channel has to be free.
      const ends = this.formats.of(format).failed(SHUTDOWN);
      await settledWithin(endRun(run, ends, false, services), END_MS);
      throw shuttingDown();
    }
    const { record, begunAt } = begun;
    const terms = {
      format: this.formats.of(format),
      limits,
      bytes,
      duration: given.duration ?? runs.duration,
      errorMessage: given.errorMessage ?? runs.errorMessage,
    };
    const active = new ActiveRun(run, begunAt, terms, services, this.turns);
    this.asked.delete(id);
    this.active.set(id, active);
    void active.done.then(({ reason }) => {
      this.active.delete(id);
      const part = this.delivery.tally.runTimes.of({ 'sse.run.end.reason': reason });
      part.record((monotonicNow() - begunAt) / 1_000);
    });
    const log = services.logs.of(record);
    const started = active.start(source);
    if (await settledWithin(started, FIRST_VALUE_MS)) {
      try {
        await started;
      } catch (error) {
        // The caller may try again at once.
        await settledWithin(active.done, END_MS);
        throw error;
      }
    }
    return {
      id,
      channel,
      signal: active.signal,
      done: active.done,
      events$: this.delivery.observe([{ source: log, name: channel }], runPosition(id, 0)),
    };
  }

  private async end(run: RunRecord, reason: string | undefined, services: RunServices) {
    const { id, format } = run;
    const { eventSize } = this.settings.limits;
    const chunks = stoppedChunks(this.formats.of(format), reason, eventSize);
    const end = () => endRun(run, chunks, false, services);
    const hasEnded = await reached(end, services.closing);
    if (hasEnded) {
      this.active.get(id)?.stopped();
    }
    return hasEnded;
  }

  /** @throws SseError `INVALID_OPTION` for a broker that has no runs, `CLOSED` */
  private get services() {
    if (this.closing.signal.aborted) {
      throw shuttingDown();
    }
    return (this.opened ??= this.delivery.detach(() => this.open()));
  }

  private open() {
    const store: OwnRunStore | undefined = this.sources.broker.openRuns?.();
    if (!store) {
      throw new SseError(
        'INVALID_OPTION',
        'The broker keeps no runs. Give it `openRuns()`, or leave `run` out.',
      );
    }
    const log = new LimitedLog(this.sources.log);
    const { formats, delivery } = this;
    const { guard } = delivery;
    const { signal: closing } = this.closing;
    const outage = new Outage(this.sources.log, 'runs');
    const services = { store, formats, log, guard, outage, closing };
    const logs = new RunLogs(services);
    return { ...services, logs, places: new RunPlaces(services, logs) };
  }
}
