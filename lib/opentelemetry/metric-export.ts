import { metrics, type Observable, type ObservableResult } from '@opentelemetry/api';
import type { HistogramInstrument, NumberInstrument } from '../metrics/instrument.js';
import type { Metrics } from '../metrics/metrics.js';

/** The name under which the metrics and spans of the package are found. */
export const SCOPE = 'nestjs-sse-channels';

/** How OpenTelemetry calls the instrument of each kind that is read when somebody asks. */
const CREATE = {
  counter: 'createObservableCounter',
  updowncounter: 'createObservableUpDownCounter',
  gauge: 'createObservableGauge',
} as const;

/**
 * Gives an application's metrics to OpenTelemetry's global meter provider. Numbers are read when it collects;
 * histograms get each value as it comes. Returns a function that ends it.
 */
export function exportMetrics(from: Metrics): () => void {
  const meter = metrics.getMeter(SCOPE);
  const read: [NumberInstrument, Observable][] = [];
  const histograms: HistogramInstrument[] = [];
  for (const instrument of from.instruments) {
    const { name, unit, help: description } = instrument;
    if (instrument.kind === 'histogram') {
      const family = instrument.family(from);
      const advice = { explicitBucketBoundaries: [...family.bounds] };
      const histogram = meter.createHistogram(name, { unit, description, advice });
      family.listener = (value, labels) => histogram.record(value, labels);
      histograms.push(instrument);
    } else {
      read.push([instrument, meter[CREATE[instrument.kind]](name, { unit, description })]);
    }
  }
  const observables = read.map(([, observable]) => observable);
  const collect = (result: { observe: (of: Observable, ...sample: ObserveArgs) => void }): void => {
    for (const [instrument, observable] of read) {
      for (const { value, labels } of instrument.read(from)) {
        result.observe(observable, value, labels);
      }
    }
  };
  meter.addBatchObservableCallback(collect, observables);
  return () => {
    meter.removeBatchObservableCallback(collect, observables);
    histograms.forEach((each) => (each.family(from).listener = undefined));
  };
}

type ObserveArgs = Parameters<ObservableResult['observe']>;
