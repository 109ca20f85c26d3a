import { AsyncLocalStorage } from 'node:async_hooks';
import { settledWithin } from '../../../channel/deadline.js';
import type { Lease } from '../../../channel/lease.js';
import { callRedis } from '../../redis/redis-call.js';
import { runScript, type RedisScript } from '../../redis/redis-batch.js';
import { RedisLeases } from '../../redis/redis-leases.js';
import type { RedisStreams } from '../../redis/redis-streams.js';
import type { PollRate, SharedPolls, SharedPollsOwner } from '../shared-polls.js';
import { SharingOutage } from './sharing-outage.js';
import { BEAT, LEAVE, WANT } from '../lua/lua.generated.js';
import { rateText, WantedKeys } from './wanted-keys.js';

const LEASE = 'pollers';
/** How often an instance says that it lives. */
const BEAT_MS = 500;
/** For how long what it wants holds after that. */
const WANTS_MS = 2_000;
/** How many keys one call tells of. */
const BATCH = 1_000;
/** How long a stop waits for the reply to its last call. */
const LEAVE_MS = 300;

/**
 * Has one instance poll what all of them want: the holder of a lease. Each instance keeps in Redis
 * which keys it wants polled and how often, for as long as it lives, and publishes the changes.
 * Who polls guards nothing: one script takes a value, whoever calls it.
 */
export class RedisSharedPolls implements SharedPolls {
  private readonly leases: RedisLeases;
  private readonly keys: ReturnType<typeof keysOf>;
  private lease: Lease | undefined;
  private readonly outage: SharingOutage;
  /** What this instance wants: the rates as text, by key. */
  private readonly wants = new Map<string, string>();
  /** Keys whose rate Redis does not know yet. */
  private readonly changed = new Set<string>();
  private changes = 0;
  private readonly wanted: WantedKeys;
  /** Instances whose wants have to be read as a whole. */
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
    this.keys = keysOf(streams.settings.prefix, this.leases.incarnation);
    this.outage = new SharingOutage(streams, this.keys.instances, () => {
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
    const text = rate && rateText(rate);
    if (this.isStopped || this.wants.get(key) === text) {
      return;
    }
    if (text === undefined) {
      this.wants.delete(key);
    } else {
      this.wants.set(key, text);
    }
    this.changed.add(key);
    this.begin();
    // What changes in one turn goes in one call.
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
      // If this fails, what the instance wants runs out.
      const left = this.leave().catch(() => undefined);
      await Promise.all([this.lease?.release(), settledWithin(left, LEAVE_MS)]);
    }
  }

  private begin(): void {
    if (!this.timer) {
      this.timer = this.detach(() => setInterval(() => this.tick(), BEAT_MS).unref());
      this.unlisten = this.streams.listen(this.keys.changes, {
        message: (text) => this.noteChange(text),
        // A change that was missed shows with the next beat.
        subscribed: () => undefined,
      });
      this.detach(() => this.compete());
    }
  }

  /** An instance that cannot hear what others want must not be the one that polls for them. */
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
      this.wanted.keepOnly(new Set());
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

  /** One call after the other, so that none overtakes another. What fails is tried with the next beat. */
  private async workOffAll(): Promise<void> {
    await this.streams.server.known();
    while (!this.isStopped) {
      const [instance] = this.unread;
      if (this.isBeatDue) {
        await this.beat();
      } else if (this.changed.size > 0) {
        await this.tellChanges();
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
    const { incarnation } = this.leases;
    const keys = [this.leases.keyOf(LEASE), this.keys.instances, this.keys.wants];
    const answer = await this.call(BEAT, keys, [incarnation, WANTS_MS]);
    const [poller, version, ...others] = answer as string[];
    this.outage.noteAnswered();
    if (version === '') {
      this.wants.forEach((_, key) => this.changed.add(key));
    }
    if (this.isPoller && poller === incarnation) {
      this.noteInstances(others);
    }
  }

  private noteInstances(pairs: readonly string[]): void {
    const versions = new Map<string, number>();
    for (let n = 0; n < pairs.length; n += 2) {
      versions.set(pairs[n]!, Number(pairs[n + 1]));
    }
    this.wanted.keepOnly(new Set(versions.keys()));
    versions.forEach((version, instance) => {
      // A change may have been heard of after the question was answered.
      if (this.wanted.versionOf(instance) < version) {
        this.unread.add(instance);
      }
    });
  }

  private async tellChanges(): Promise<void> {
    const keys = [...this.changed].slice(0, BATCH);
    keys.forEach((key) => this.changed.delete(key));
    const { incarnation } = this.leases;
    const { publishCommand } = this.streams.server;
    const pairs = keys.flatMap((key) => [key, this.wants.get(key) ?? '']);
    const args = [incarnation, ++this.changes, WANTS_MS, publishCommand, ...pairs];
    const { instances, wants, changes } = this.keys;
    try {
      await this.call(WANT, [instances, wants, changes], args);
    } catch (error) {
      keys.forEach((key) => this.changed.add(key));
      throw error;
    }
  }

  private async readWants(instance: string): Promise<void> {
    this.unread.delete(instance);
    const client = await this.streams.connection.client();
    const { wants } = keysOf(this.streams.settings.prefix, instance);
    const reply = (await callRedis(client, 'HGETALL', wants)) as string[];
    const version = reply.indexOf('');
    if (this.isPoller && version >= 0) {
      const [, number] = reply.splice(version, 2);
      this.wanted.replace(instance, Number(number), reply);
    }
  }

  /** An instance says what it wants from now on, or that it leaves. */
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

  private async leave(): Promise<void> {
    await this.working;
    const { instances, wants, changes } = this.keys;
    const args = [this.leases.incarnation, this.streams.server.publishCommand];
    await this.call(LEAVE, [instances, wants, changes], args);
  }

  private async call(
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const reply = await runScript(await this.streams.connection.client(), { script, keys, args });
    if ('ok' in reply) {
      return reply.ok;
    }
    throw reply.error;
  }
}

function keysOf(prefix: string, incarnation: string) {
  return {
    instances: `${prefix}{${LEASE}}:instances`,
    /** The channel on which instances say what they want from now on. */
    changes: `${prefix}{${LEASE}}:changes`,
    wants: `${prefix}{${LEASE}}:wants:${incarnation}`,
  };
}

function changeOf(text: string): readonly string[] {
  try {
    const change: unknown = JSON.parse(text);
    return Array.isArray(change) ? change.map(String) : [];
  } catch {
    // Somebody else has published it.
    return [];
  }
}
