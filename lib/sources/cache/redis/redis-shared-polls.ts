import { AsyncLocalStorage } from 'node:async_hooks';
import { settledWithin } from '../../../channel/deadline.js';
import type { Lease } from '../../../channel/lease.js';
import { RedisLeases } from '../../redis/redis-leases.js';
import type { RedisStreams } from '../../redis/redis-streams.js';
import { OwnWants } from './own-wants.js';
import { SharingOutage } from './sharing-outage.js';
import { SharedPollCalls } from './shared-poll-calls.js';
import { WantedKeys } from './wanted-keys.js';
import type { PollRate, SharedPolls, SharedPollsOwner } from '../key-store.js';

const LEASE = 'pollers';
/** How often an instance tells Redis that it lives. */
const BEAT_MS = 500;
/** How long a stop waits for the reply to its last call. */
const LEAVE_MS = 300;

/**
 * Makes one instance, the holder of a lease, poll the keys that any instance wants. Each instance keeps
 * the keys that it wants polled in Redis for as long as it lives, and publishes changes. Two pollers at
 * a time do no harm: one script takes a value, whichever instance calls it.
 */
export class RedisSharedPolls implements SharedPolls {
  private readonly leases: RedisLeases;
  private readonly calls: SharedPollCalls;
  private lease: Lease | undefined;
  private readonly outage: SharingOutage;
  private readonly ownWants = new OwnWants();
  /** The keys that all instances want, while this one polls for them. */
  private readonly wanted: WantedKeys;
  /** Instances whose wants this one must read as a whole. */
  private readonly unread = new Set<string>();
  private readonly detach = AsyncLocalStorage.snapshot();
  private timer: NodeJS.Timeout | undefined;
  private soon: NodeJS.Immediate | undefined;
  private isBeatDue = true;
  private working: Promise<void> | undefined;
  private unlisten: () => void = () => undefined;
  private isStopped = false;

  constructor(
    private readonly streams: RedisStreams,
    owner: SharedPollsOwner,
  ) {
    this.leases = new RedisLeases(streams);
    this.wanted = new WantedKeys((key, rate) => owner.poll(key, rate));
    this.calls = new SharedPollCalls(streams, this.leases.incarnation);
    this.outage = new SharingOutage(streams, this.calls.instances, () => {
      this.compete();
      owner.onChange();
    });
  }

  get work(): boolean {
    return !this.outage.lasts;
  }

  get isPoller(): boolean {
    return this.lease?.isHeld === true;
  }

  want(key: string, rate: PollRate | undefined): void {
    if (this.isStopped || !this.ownWants.set(key, rate)) {
      return;
    }
    this.begin();
    // One call takes the changes of one turn.
    this.soon ??= this.detach(() =>
      setImmediate(() => {
        this.soon = undefined;
        this.workOff();
      }),
    );
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    clearImmediate(this.soon);
    this.unlisten();
    if (this.timer) {
      // If this fails, the instance's wants expire.
      const left = Promise.resolve(this.working).then(() => this.calls.leave());
      await Promise.all([this.lease?.release(), settledWithin(left, LEAVE_MS)]);
    }
  }

  private begin(): void {
    if (!this.timer) {
      this.timer = this.detach(() => setInterval(() => this.tick(), BEAT_MS).unref());
      this.unlisten = this.streams.listen(this.calls.channel, {
        message: (text) => this.noteChange(text),
        // The next beat shows a missed change.
        subscribed: () => undefined,
      });
      this.detach(() => this.compete());
    }
  }

  /** Competes for the lease, unless this instance cannot learn which keys others want. */
  private compete(): void {
    const { lease } = this;
    if (this.outage.lasts) {
      this.lease = undefined;
      void lease?.release();
      this.forgetOthers();
    } else {
      this.lease ??= this.leases.claim(LEASE, () => {
        this.forgetOthers();
        this.tick();
      });
    }
  }

  private forgetOthers(): void {
    if (!this.isPoller) {
      this.wanted.keepOnly(new Map());
      this.unread.clear();
    }
  }

  private tick(): void {
    this.isBeatDue = true;
    this.outage.noteDue();
    this.workOff();
  }

  private workOff(): void {
    if (!this.working && !this.isStopped) {
      this.outage.noteAttempt();
      this.working = this.workOffAll()
        .catch((error: unknown) => this.outage.noteFailure(error as Error))
        .finally(() => (this.working = undefined));
    }
  }

  /** Makes one call after the other, so that none overtakes another. The next beat repeats a failed one. */
  private async workOffAll(): Promise<void> {
    await this.streams.server.known();
    while (!this.isStopped) {
      const [instance] = this.unread;
      if (this.isBeatDue) {
        await this.beat();
      } else if (!this.ownWants.areKnown) {
        await this.tellChange();
      } else if (instance !== undefined) {
        await this.readWants(instance);
      } else {
        this.outage.noteWorks();
        return;
      }
    }
  }

  private async beat(): Promise<void> {
    this.isBeatDue = false;
    const { poller, isKnown, changes } = await this.calls.beat(this.leases.keyOf(LEASE));
    this.outage.noteAnswered();
    if (!isKnown) {
      this.ownWants.forgetAll();
    }
    if (this.isPoller && poller === this.leases.incarnation) {
      this.noteInstances(changes);
    }
  }

  private noteInstances(changes: ReadonlyMap<string, number>): void {
    this.wanted.keepOnly(changes);
    changes.forEach((number, instance) => {
      // A message may have brought a change after this answer.
      if (this.wanted.versionOf(instance) < number) {
        this.unread.add(instance);
      }
    });
  }

  private async tellChange(): Promise<void> {
    const change = this.ownWants.nextChange();
    try {
      await this.calls.want(change);
    } catch (error) {
      this.ownWants.tellAgain(change);
      throw error;
    }
  }

  private async readWants(instance: string): Promise<void> {
    this.unread.delete(instance);
    const wants = await this.calls.read(instance);
    if (wants && this.isPoller) {
      this.wanted.replace(instance, wants.number, wants.pairs);
    }
  }

  /** Takes a message: an instance's change of its wants, or that it leaves. */
  private noteChange(text: string): void {
    if (!this.isPoller) {
      return;
    }
    const [instance, version, ...pairs] = changeOf(text);
    if (version === undefined) {
      this.wanted.forget(instance ?? '');
    } else if (!this.wanted.change(instance!, Number(version), pairs)) {
      this.unread.add(instance!);
      this.workOff();
    }
  }
}

function changeOf(text: string): readonly string[] {
  try {
    const change: unknown = JSON.parse(text);
    return Array.isArray(change) ? change.map(String) : [];
  } catch {
    // Another program has published it.
    return [];
  }
}
