import { randomBytes } from 'node:crypto';
import { AsyncLocalStorage } from 'node:async_hooks';
import { SseError } from '../../channel/sse-error.js';
import { within } from '../../channel/within.js';
import type { RedisStreams } from '../redis/redis-streams.js';
import { Candidate, ME, type Election } from './candidate.js';
import { ElectionPeers } from './election-peers.js';
import type { Candidacy, PollerElection } from './poller-election.js';
import { ElectionCalls } from './redis-election-calls.js';
import { STOP_WAIT_MS } from './stop-wait.js';

/** How long an instance counts as living after its last beat. */
const LEASE_MS = 2_000;
const BEAT_MS = 500;
/** After so many beats without a reply in time, from a server that is connected, every instance polls. */
const PATIENCE = 16;
/** How many names one call takes. */
const BATCH = 1_000;

/**
 * Elects through Redis, once for each name and not for each poll: who is elected stays so for as
 * long as the instance lives and stands. That it lives is one call for all names. Being elected
 * spares polls and guards nothing: a value is taken by one script, whoever calls it.
 */
export class RedisElection implements PollerElection, Election {
  private readonly candidates = new Map<string, Candidate>();
  private readonly asking = new Set<Candidate>();
  private readonly releasing = new Set<string>();
  private readonly peers = new ElectionPeers(LEASE_MS);
  private readonly calls: ElectionCalls;
  private readonly detach = AsyncLocalStorage.snapshot();
  private id = newId();
  private beats = 0;
  private beatDue = true;
  private leaseUntil = 0;
  private auditAt = 0;
  /** How many beats were due since the last one that was answered. */
  private unanswered = 0;
  private isDown = false;
  /** True while instances cannot elect. */
  private failing = false;
  private timer: NodeJS.Timeout | undefined;
  private soon: NodeJS.Immediate | undefined;
  private working: Promise<void> | undefined;
  private unlisten: (() => void) | undefined;
  private stopped = false;

  constructor(private readonly streams: RedisStreams) {
    this.calls = new ElectionCalls(streams);
  }

  get isOffForAll(): boolean {
    return this.failing;
  }

  get isCertain(): boolean {
    return this.failing || performance.now() < this.leaseUntil;
  }

  stand(name: string, onChange: () => void): Candidacy {
    const candidate = new Candidate(name, onChange, this);
    if (this.releasing.delete(name)) {
      // It was to be given up in this very turn.
      candidate.holder = ME;
    }
    this.candidates.set(name, candidate);
    this.ask(candidate);
    return candidate;
  }

  withdraw(candidate: Candidate): void {
    if (this.isCurrent(candidate)) {
      this.candidates.delete(candidate.name);
      this.asking.delete(candidate);
      if (candidate.holder === ME) {
        this.releasing.add(candidate.name);
        this.workSoon();
      }
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    clearImmediate(this.soon);
    this.unlisten?.();
    this.candidates.forEach((candidate) => candidate.withdraw());
    if (this.timer) {
      // If this fails, the others notice that the instance does not beat any more.
      const left = this.leave().catch(() => undefined);
      await within(left, STOP_WAIT_MS);
    }
  }

  private ask(candidate: Candidate): void {
    this.asking.add(candidate);
    this.workSoon();
  }

  private askAll(): void {
    const { auditInterval } = this.streams.settings;
    this.auditAt = performance.now() + auditInterval * (0.75 + Math.random() / 4);
    this.candidates.forEach((candidate) => this.ask(candidate));
  }

  /** What is asked for and given up in one turn goes in one call. */
  private workSoon(): void {
    if (this.stopped) {
      return;
    }
    if (!this.timer) {
      this.begin();
    }
    this.soon ??= this.detach(() =>
      setImmediate(() => {
        this.soon = undefined;
        this.work();
      }),
    );
  }

  private begin(): void {
    this.timer = this.detach(() => setInterval(() => this.tick(), BEAT_MS).unref());
    this.auditAt = performance.now() + this.streams.settings.auditInterval;
    this.unlisten = this.streams.listen(this.calls.elected, {
      message: (text) => this.areFree(text),
      // What was told until now was not heard.
      subscribed: () => this.askAll(),
    });
  }

  private tick(): void {
    this.beatDue = true;
    if (++this.unanswered > PATIENCE && !this.isDown) {
      this.fail('no reply in time');
    }
    if (performance.now() > this.auditAt) {
      this.askAll();
    }
    this.work();
  }

  private work(): void {
    if (!this.working && !this.stopped) {
      this.isDown = false;
      this.working = this.workOff()
        .catch((error: unknown) => this.noteFailure(error as Error))
        .finally(() => (this.working = undefined));
    }
  }

  /** One call after the other, so that none overtakes another. What fails is tried with the next beat. */
  private async workOff(): Promise<void> {
    while (!this.stopped) {
      if (this.beatDue) {
        await this.beat();
      } else if (this.releasing.size > 0) {
        await this.release();
      } else if (this.asking.size > 0) {
        await this.claim();
      } else {
        return;
      }
    }
  }

  private async beat(): Promise<void> {
    this.beatDue = false;
    const askedAt = performance.now();
    const living = await this.calls.beat(this.id, ++this.beats);
    if (!living) {
      this.beginAnew();
      return;
    }
    const lapsed = performance.now() >= this.leaseUntil;
    this.leaseUntil = askedAt + LEASE_MS;
    if (performance.now() < this.leaseUntil) {
      this.unanswered = 0;
      this.recover(lapsed);
    }
    for (const { id, beats } of this.peers.update(living, askedAt)) {
      if (id !== this.id && (await this.calls.bury(id, beats))) {
        living.delete(id);
        this.streams.logger.log(
          `An instance that polls keys has not been heard of for ${LEASE_MS} ms. ` +
            'Others that read its keys poll them now.',
        );
      }
    }
    for (const candidate of this.candidates.values()) {
      const { holder } = candidate;
      if (holder !== undefined && holder !== ME && !living.has(holder)) {
        this.asking.add(candidate);
      }
    }
  }

  private async claim(): Promise<void> {
    const batch = firstOf(this.asking);
    // Each can be asked for anew from here on, as what this call finds may change meanwhile.
    batch.forEach((candidate) => this.asking.delete(candidate));
    let holders: readonly string[] | undefined;
    try {
      const names = batch.map(({ name }) => name);
      holders = await this.calls.claim(this.id, names);
    } catch (error) {
      for (const candidate of batch) {
        if (this.isCurrent(candidate)) {
          this.asking.add(candidate);
        } else {
          // Only the reply may be missing, and nobody else can be elected then.
          this.giveUp(candidate.name);
        }
      }
      throw error;
    }
    if (holders) {
      batch.forEach((candidate, index) => this.settle(candidate, holders[index]!));
    } else {
      this.beginAnew();
    }
  }

  private settle(candidate: Candidate, holder: string): void {
    if (this.isCurrent(candidate)) {
      candidate.settle(holder);
    } else if (holder === ME) {
      this.giveUp(candidate.name);
    }
  }

  private giveUp(name: string): void {
    if (!this.candidates.has(name)) {
      this.releasing.add(name);
    }
  }

  private async release(): Promise<void> {
    const batch = firstOf(this.releasing);
    batch.forEach((name) => this.releasing.delete(name));
    try {
      await this.calls.release(this.id, batch);
    } catch (error) {
      batch.forEach((name) => this.giveUp(name));
      throw error;
    }
  }

  private async leave(): Promise<void> {
    await this.working;
    while (this.releasing.size > 0) {
      await this.release();
    }
    await this.calls.leave(this.id);
  }

  /** This instance was declared dead, or Redis has lost what it knew. */
  private beginAnew(): void {
    this.id = newId();
    this.beats = 0;
    this.beatDue = true;
    this.releasing.clear();
    this.candidates.forEach((candidate) => candidate.settle(undefined));
    this.askAll();
  }

  /** Another instance has given these up. */
  private areFree(text: string): void {
    for (const name of namesOf(text) ?? this.candidates.keys()) {
      const candidate = this.candidates.get(name);
      if (candidate && candidate.holder !== ME) {
        this.ask(candidate);
      }
    }
  }

  private noteFailure(error: Error): void {
    this.isDown = error instanceof SseError;
    if (!this.isDown && this.calls.isRefusal(error)) {
      this.fail(error.message);
    }
  }

  /** Better that every instance polls than that none does. */
  private fail(reason: string): void {
    if (!this.failing) {
      this.failing = true;
      this.streams.logger.error(
        `Who polls keys cannot be elected in Redis at ${this.streams.connection.address}: ${reason}. ` +
          'Until it can, each instance polls what it reads. The election needs the hashes ' +
          `${this.calls.instances} and ${this.calls.elected}, and the rights that docs/redis.md lists.`,
      );
      this.candidates.forEach((candidate) => candidate.onChange());
    }
  }

  private recover(lapsed: boolean): void {
    if (this.failing) {
      this.failing = false;
      this.streams.logger.log('Who polls keys is elected again.');
      this.askAll();
      this.candidates.forEach((candidate) => candidate.onChange());
    } else if (lapsed) {
      this.candidates.forEach((candidate) => candidate.isElected && candidate.onChange());
    }
  }

  private isCurrent(candidate: Candidate): boolean {
    return this.candidates.get(candidate.name) === candidate;
  }
}

function newId(): string {
  return randomBytes(9).toString('base64url');
}

function firstOf<T>(set: ReadonlySet<T>): readonly T[] {
  const batch: T[] = [];
  for (const one of set) {
    if (batch.push(one) === BATCH) {
      break;
    }
  }
  return batch;
}

function namesOf(message: string): readonly string[] | undefined {
  try {
    return JSON.parse(message) as readonly string[];
  } catch {
    return undefined;
  }
}
