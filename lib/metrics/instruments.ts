import { DELIVERY_INSTRUMENTS } from './delivery-instruments.js';
import type { Instrument } from './instrument.js';
import { SYSTEM_INSTRUMENTS } from './system-instruments.js';

/**
 * All metrics of the package, in the order in which they are told. These lists are the one place that declares
 * their names, units, labels and meanings. docs/metrics.md has them as a table, and docs/grafana-dashboard.json
 * shows them; tests compare both.
 */
export const INSTRUMENTS: readonly Instrument[] = [...DELIVERY_INSTRUMENTS, ...SYSTEM_INSTRUMENTS];
