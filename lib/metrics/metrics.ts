import { Injectable } from '@nestjs/common';
import { Delivery } from '../delivery/delivery.js';
import { Presence } from '../presence/presence.js';
import { Runs } from '../runs/runs.js';
import { SseSources } from '../setup/sse-sources.js';
import type { Numbers } from './instrument.js';
import { INSTRUMENTS } from './instruments.js';
import { prometheusText } from './prometheus.js';

/** The metrics of an application. Nothing is gathered before somebody asks. */
@Injectable()
export class Metrics implements Numbers {
  /** What there is to be read, each by its `read()` or `family()`, to which you give these metrics. */
  readonly instruments = INSTRUMENTS;

  constructor(
    readonly delivery: Delivery,
    readonly sources: SseSources,
    readonly runs: Runs,
    readonly presence: Presence,
  ) {}

  /** All metrics in Prometheus' text format. */
  text(): string {
    return prometheusText(this.instruments, this);
  }
}
