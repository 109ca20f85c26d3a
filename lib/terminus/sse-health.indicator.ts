import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import type { SystemHealth } from '../channel/system-health.js';
import { readOptions } from '../sources/options/option-table.js';
import { isUsable } from '../sse.health.js';
import { SseService } from '../sse.service.js';
import {
  LIVE_OPTIONS,
  READY_OPTIONS,
  type LiveOptions,
  type ReadyOptions,
} from './health.options.js';

type NamedHealth = readonly [name: string, health: SystemHealth];

/**
 * The health of the module for `@nestjs/terminus`. Both checks answer at once, from what the module has
 * noticed: they ask neither Redis nor Postgres.
 *
 * @example
 * ```ts
 * @Get('ready') @HealthCheck()
 * ready() {
 *   return this.health.check([() => this.sse.ready()]);
 * }
 * ```
 */
@Injectable()
export class SseHealthIndicator {
  /** Instances that lost a system together give up at different times. */
  private readonly patience = 1 + Math.random() / 2;

  constructor(
    private readonly sse: SseService,
    private readonly indicators: HealthIndicatorService,
  ) {}

  /**
   * Whether new clients should come here. It fails at once when a system is away or has not worked yet,
   * and when the application shuts down.
   *
   * @param key the name in the answer. Default: `sse`
   * @throws SseError `INVALID_OPTION`
   */
  ready<Key extends string = 'sse'>(
    key: Key = 'sse' as Key,
    options: ReadyOptions = {},
  ): HealthIndicatorResult<Key> {
    const { except } = readOptions(READY_OPTIONS, options, '', 'ready(): ');
    return this.answer(key, except, (systems, stopping) =>
      stopping
        ? 'The application is shutting down.'
        : textOf(systems.filter(([, health]) => !isUsable(health))),
    );
  }

  /**
   * Whether a restart of this instance would help nothing. It fails only when a system has been away for
   * longer than `maxOutage`, and never while the application shuts down.
   *
   * @param key the name in the answer. Default: `sse`
   * @throws SseError `INVALID_OPTION`
   */
  live<Key extends string = 'sse'>(
    key: Key = 'sse' as Key,
    options: LiveOptions = {},
  ): HealthIndicatorResult<Key> {
    const { except, maxOutage } = readOptions(LIVE_OPTIONS, options, '', 'live(): ');
    return this.answer(key, except, (systems, stopping) =>
      stopping
        ? undefined
        : textOf(systems.filter(([, { awayFor }]) => awayFor > maxOutage * this.patience)),
    );
  }

  private answer<Key extends string>(
    key: Key,
    except: readonly string[],
    faultOf: (systems: readonly NamedHealth[], stopping: boolean) => string | undefined,
  ): HealthIndicatorResult<Key> {
    const { stopping, systems } = this.sse.health();
    const counted = Object.entries(systems).filter(([name]) => !except.includes(name));
    const message = faultOf(counted, stopping);
    const session = this.indicators.check(key);
    const data = { stopping, systems };
    return message === undefined ? session.up(data) : session.down({ message, ...data });
  }
}

/** The message about systems that do not work; `undefined` when there are none. */
function textOf(systems: readonly NamedHealth[]): string | undefined {
  const parts = systems.map(
    ([name, { state, awayFor }]) => `${name} is ${state} for ${Math.round(awayFor / 1_000)} s`,
  );
  return parts.length === 0 ? undefined : `${parts.join(', ')}.`;
}
