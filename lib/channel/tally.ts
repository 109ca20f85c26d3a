import { HistogramFamily } from './histogram.js';
import { isResetReason, RESET_REASONS } from './reset-event.js';
import type { ResetReason } from './reset-reason.js';
import { SOURCE_KINDS } from './source-kind.js';
import type { SseLogger } from './source.js';

/** The bounds of times that calls and deliveries take, in seconds: those of OpenTelemetry's conventions. */
const CALL_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
/** The bounds of times for which connections, runs and outages last, in seconds: up to a day. */
const LIFE_SECONDS = [0.1, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400];

/**
 * The systems that may be away.
 *
 * - `redis`, `cache`, `poll`: the server of `redis`, the store of the keys, a polled function
 * - `event-table`, `waker`, `listen`: the kept connections to Postgres
 * - `publish`: what takes the events that the application sends
 * - `history`, `presence`, `runs`: the part of the broker, or of a source, that keeps these
 */
export const OUTAGE_SYSTEMS = [
  'redis',
  'cache',
  'poll',
  'event-table',
  'waker',
  'listen',
  'publish',
  'history',
  'presence',
  'runs',
] as const;

export type OutageSystem = (typeof OUTAGE_SYSTEMS)[number];

/** What has come from the sources of one kind. */
export interface Received {
  events: number;
  /** Of their data. */
  bytes: number;
}

/** Whom a reset is for: all readers of a channel, or one that could not go on where it was. */
export type ResetScope = 'channel' | 'reader';

/** An outage, as it is told to people. Its moments are on the clock of `monotonicNow()`. */
export interface NotedOutage {
  readonly system: OutageSystem;
  /** How many last that have the same text, such as those of functions that ask one database. */
  lasting: number;
  readonly from: number;
  /** Unset while it lasts. */
  to: number | undefined;
  /** What the log said when it began. */
  readonly text: string;
}

/** How many outages are kept. */
const MOST_NOTED = 50;

/** Calls that read keys or polled functions. */
export interface Polls {
  done: number;
  failed: number;
}

/**
 * What one application counts, in plain numbers: whoever counts adds to a field, and whoever wants to know
 * reads it. `lib/metrics` tells what each is for.
 */
export class Tally {
  /** What was written to connections: events, and bytes of frames, heartbeats among them. */
  sentEvents = 0;
  sentBytes = 0;
  readonly received = byName(SOURCE_KINDS, (): Received => ({ events: 0, bytes: 0 }));
  /** Resets that a source announced to all readers of a channel, and those of single readers. */
  readonly resets: Readonly<Record<ResetScope, Record<ResetReason, number>>> = {
    channel: byName(RESET_REASONS, () => 0),
    reader: byName(RESET_REASONS, () => 0),
  };
  /** Channels that were not opened, as all that may be open were in use. */
  refusedChannels = 0;
  readonly polls: Readonly<Record<'cache' | 'poll', Polls>> = {
    cache: { done: 0, failed: 0 },
    poll: { done: 0, failed: 0 },
  };
  /** Outages that last. */
  readonly outages = byName<OutageSystem, number>(OUTAGE_SYSTEMS, () => 0);
  readonly outageTimes = new HistogramFamily(LIFE_SECONDS);
  /** The last outages since the start. */
  readonly noted: NotedOutage[] = [];
  readonly connectionTimes = new HistogramFamily(LIFE_SECONDS);
  readonly runTimes = new HistogramFamily(LIFE_SECONDS);
  readonly publishTimes = new HistogramFamily(CALL_SECONDS);
  /** From when a system has written an event, by its clock, until it was appended here. */
  readonly delays = new HistogramFamily(CALL_SECONDS);

  /** @param text what the log says of it */
  beginOutage(system: OutageSystem, from: number, text: string): NotedOutage {
    this.outages[system]++;
    const same = this.noted.find(
      (other) => other.lasting > 0 && other.system === system && other.text === text,
    );
    if (same) {
      same.lasting++;
      return same;
    }
    const outage = { system, lasting: 1, from, to: undefined, text };
    this.noted.push(outage);
    if (this.noted.length > MOST_NOTED) {
      this.noted.shift();
    }
    return outage;
  }

  /** @param from when it began that ends: others with its text may have begun before */
  endOutage(outage: NotedOutage, from: number, to: number): void {
    const { system } = outage;
    if (--outage.lasting === 0) {
      outage.to = to;
    }
    this.outages[system]--;
    this.outageTimes.of({ 'sse.outage.system': system }).record((to - from) / 1_000);
  }

  noteReset(scope: ResetScope, reason: ResetReason): void {
    // A source of the application may give anything.
    if (isResetReason(reason)) {
      this.resets[scope][reason]++;
    }
  }
}

/** A log of one application, with what the application counts. */
export interface CountingLog extends SseLogger {
  readonly tally: Tally;
}

/** A log of an application's own. */
export function countingLog(to: SseLogger): CountingLog {
  return {
    log: (message) => to.log(message),
    warn: (message) => to.warn(message),
    error: (message, stack) => to.error(message, stack),
    tally: new Tally(),
  };
}

/** What is counted beside a log; a tally that nobody reads for a log without one. */
export function tallyOf(log: SseLogger): Tally {
  const { tally } = log as Partial<CountingLog>;
  return tally instanceof Tally ? tally : new Tally();
}

function byName<Name extends string, T>(names: readonly Name[], create: () => T): Record<Name, T> {
  return Object.fromEntries(names.map((name) => [name, create()])) as Record<Name, T>;
}
