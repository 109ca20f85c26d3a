import { settledWithin, withDeadline } from '../../channel/deadline.js';
import type { Guard } from '../../channel/guard.js';
import { nameOf } from '../../channel/open-feed.js';
import type { ChannelSource, Lifecycle, SseLogger } from '../../channel/source.js';
import type { SystemHealth } from '../../channel/system-health.js';
import { customHealth } from './custom-health.js';

/** How long a source of the application's may take to start, in milliseconds. */
const START_TIMEOUT_MS = 10_000;

/** Starts and stops the sources and the broker that the application brings. */
export class Lifecycles {
  private readonly sources = new Set<ChannelSource & Lifecycle>();
  private isStarted = false;

  constructor(
    private readonly log: SseLogger,
    private readonly guard: Guard,
  ) {}

  /** Adds a source, once. After the start it starts at once. */
  add(source: ChannelSource): void {
    if (this.sources.has(source)) {
      return;
    }
    this.sources.add(source);
    if (this.isStarted) {
      this.guard.run(`start() of ${nameOf(source)}`, () => this.startOne(source, false));
    }
  }

  /** How the systems are whose sources tell it, each under the name of its class, numbered where several share it. */
  get health(): Record<string, SystemHealth> {
    const systems: Record<string, SystemHealth> = {};
    for (const source of this.sources) {
      const health = customHealth(source, this.guard);
      if (health) {
        const name = nameOf(source);
        const taken = Object.keys(systems).filter((key) => key.replace(/ \d+$/, '') === name);
        systems[taken.length === 0 ? name : `${name} ${taken.length + 1}`] = health;
      }
    }
    return systems;
  }

  /** Starts all sources. With `failFast` it rejects with a source's error; otherwise it logs the error. */
  async start(failFast: boolean): Promise<void> {
    this.isStarted = true;
    for (const source of this.sources) {
      const started = this.startOne(source, failFast);
      if (failFast) {
        await started;
      } else {
        await started.catch((error: unknown) =>
          this.guard.report(`start() of ${nameOf(source)}`, error),
        );
      }
    }
  }

  /** Stops all sources at the same time, and waits for them no longer than `timeout` ms. */
  async stop(timeout: number): Promise<void> {
    await Promise.all([...this.sources].map((source) => this.stopOne(source, timeout)));
  }

  /** Stops one, and waits for it no longer than `timeout` milliseconds. Logs its error. */
  async stopOne(service: Lifecycle, timeout: number): Promise<void> {
    const what = `stop() of ${nameOf(service)}`;
    const stopped = Promise.resolve(this.guard.run(what, () => service.stop?.()));
    if (!(await settledWithin(stopped, timeout))) {
      this.log.warn(
        `${what} has not settled within ${Math.round(timeout)} ms. The shutdown goes on without it.`,
      );
    }
  }

  private async startOne(source: ChannelSource & Lifecycle, failFast: boolean): Promise<void> {
    await withDeadline(
      Promise.resolve(source.start?.(failFast, this.log)),
      START_TIMEOUT_MS,
      `start() of ${nameOf(source)}`,
    );
  }
}

/** Whether a service has something to start or to stop. */
export function isLifecycle(service: object): service is Lifecycle {
  return 'start' in service || 'stop' in service;
}
