import type { Calibration } from '../calibrate.js';
import type { Case } from '../cases.js';
import type { Metrics } from '../measure.js';
import type { PeerName } from '../servers/index.js';

/** A peer's result in a case: medians, and the runs they come from. */
export interface Result {
  readonly case: string;
  readonly peer: PeerName;
  readonly median: Metrics;
  readonly runs: readonly Metrics[];
  readonly faults: readonly string[];
}

/** Whether a target was met. */
export interface Verdict {
  readonly title: string;
  readonly against: string;
  readonly limit: string;
  readonly value: number;
  readonly met: boolean;
}

/** All of a bench, as it is written to JSON. */
export interface Report {
  readonly date: string;
  readonly command: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
    readonly pinned: boolean;
  };
  readonly rounds: number;
  readonly payloadBytes: number;
  readonly calibration: readonly Calibration[];
  readonly cases: readonly Case[];
  readonly results: readonly Result[];
  readonly targets: readonly Verdict[];
}

/** Finds a median; `undefined` when it was not measured. */
export function metric(
  results: readonly Result[],
  caseName: string,
  peer: PeerName,
  name: keyof Metrics,
): number | undefined {
  return results.find((result) => result.case === caseName && result.peer === peer)?.median[name];
}
