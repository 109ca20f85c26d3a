import { monotonicNow } from '../../channel/clock.js';
import { randomBytes } from 'node:crypto';
import { AsyncLocalStorage } from 'node:async_hooks';
import { settledWithin } from '../../channel/deadline.js';
import type { RedisStreams } from '../redis/redis-streams.js';
import { Candidate, type Election } from './candidate.js';
import { ElectionCandidates } from './election-candidates.js';
import { ElectionOutage } from './election-outage.js';
import { ElectionPeers } from './election-peers.js';
import type { Candidacy, PollerElection } from './poller-election.js';
import { ElectionCalls } from './redis-election-calls.js';
import { STOP_WAIT_MS } from './stop-wait.js';

/** How long an instance counts as living after its last beat. */
const LEASE_MS = 2_000;
const BEAT_MS = 500;

/**
 * Elects through Redis, once for each name and not for each poll: who is elected stays so for as
 * long as the instance lives and stands. That it lives is one call for all names. Being elected
 * spares polls and guards nothing: a value is taken by one script, whoever calls it.
 */
export class RedisElection implements PollerElection, Election {
  private readonly candidates: ElectionCandidates;
  private readonly peers = new ElectionPeers(LEASE_MS);
  private readonly calls: ElectionCalls;
  private readonly outage: ElectionOutage;
  private readonly detach = AsyncLocalStorage.snapshot();
  private id = newId();
  private beats = 0;
  private beatDue = true;
  private leaseUntil = 0;
  private auditAt = 0;
  private timer: NodeJS.Timeout | undefined;
  private soon: NodeJS.Immediate | undefined;
  private working: Promise<void> | undefined;
  private unlisten: (() => void) | undefined;
  private stopped = false;

  constructor(private readonly streams: RedisStreams) {
    this.calls = new ElectionCalls(streams);
    this.candidates = new ElectionCandidates(this.calls, () => this.workSoon());
    this.outage = new ElectionOutage(streams, this.calls, () => this.candidates.tellAll());
  }

  get isOffForAll(): boolean {
    return this.outage.lasts;
  }

  get isCertain(): boolean {
    return this.outage.lasts || monotonicNow() < this.leaseUntil;
  }

  stand(name: string, onChange: () => void): Candidacy {
    const candidate = new Candidate(name, onChange, this);
    this.candidates.add(candidate);
    return candidate;
  }

  withdraw(candidate: Candidate): void {
    this.candidates.remove(candidate);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    clearImmediate(this.soon);
    this.unlisten?.();
    this.candidates.withdrawAll();
    if (this.timer) {
      // If this fails, the others notice that the instance does not beat any more.
      const left = this.leave().catch(() => undefined);
      await settledWithin(left, STOP_WAIT_MS);
    }
  }

  private askAll(): void {
    const { auditInterval } = this.streams.settings;
    this.auditAt = monotonicNow() + auditInterval * (0.75 + Math.random() / 4);
    this.candidates.askAll();
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
    this.auditAt = monotonicNow() + this.streams.settings.auditInterval;
    this.unlisten = this.streams.listen(this.calls.elected, {
      message: (text) => this.candidates.askReleased(releasedNames(text)),
      // What was told until now was not heard.
      subscribed: () => this.askAll(),
    });
  }

  private tick(): void {
    this.beatDue = true;
    this.outage.noteDue();
    if (monotonicNow() > this.auditAt) {
      this.askAll();
    }
    this.work();
  }

  private work(): void {
    if (!this.working && !this.stopped) {
      this.outage.noteAttempt();
      this.working = this.workOff()
        .catch((error: unknown) => this.outage.noteFailure(error as Error))
        .finally(() => (this.working = undefined));
    }
  }

  /** One call after the other, so that none overtakes another. What fails is tried with the next beat. */
  private async workOff(): Promise<void> {
    while (!this.stopped) {
      if (this.beatDue) {
        await this.beat();
      } else if (this.candidates.hasReleases) {
        await this.candidates.release(this.id);
      } else if (this.candidates.hasClaims) {
        await this.claim();
      } else {
        return;
      }
    }
  }

  private async beat(): Promise<void> {
    this.beatDue = false;
    const askedAt = monotonicNow();
    const living = await this.calls.beat(this.id, ++this.beats);
    if (!living) {
      this.beginAnew();
      return;
    }
    const lapsed = monotonicNow() >= this.leaseUntil;
    this.leaseUntil = askedAt + LEASE_MS;
    if (monotonicNow() < this.leaseUntil) {
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
    this.candidates.askOrphaned(living);
  }

  private async claim(): Promise<void> {
    if (!(await this.candidates.claim(this.id))) {
      this.beginAnew();
    }
  }

  private async leave(): Promise<void> {
    await this.working;
    while (this.candidates.hasReleases) {
      await this.candidates.release(this.id);
    }
    await this.calls.leave(this.id);
  }

  /** This instance was declared dead, or Redis has lost what it knew. */
  private beginAnew(): void {
    this.id = newId();
    this.beats = 0;
    this.beatDue = true;
    this.candidates.forget();
    this.askAll();
  }

  private recover(lapsed: boolean): void {
    if (this.outage.noteAnswered()) {
      this.askAll();
      this.candidates.tellAll();
    } else if (lapsed) {
      this.candidates.tellElected();
    }
  }
}

function newId(): string {
  return randomBytes(9).toString('base64url');
}

function releasedNames(message: string): readonly string[] | undefined {
  try {
    const names: unknown = JSON.parse(message);
    return Array.isArray(names) ? names.map(String) : undefined;
  } catch {
    return undefined;
  }
}
