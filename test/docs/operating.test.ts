import { describe, expect, it } from '@jest/globals';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { parseAllDocuments } from 'yaml';
import { INSTRUMENTS } from '../../lib/metrics/instruments.js';
import { prometheusName } from '../../lib/metrics/prometheus.js';
import { settingsOf } from '../../lib/setup/settings.js';
import { codeBlocks, read } from './markdown.js';

const DOCUMENT = 'docs/operating.md';

/** What a source may take beyond `drainTimeout` for its stop. */
const LAST_STOP_SECONDS = 0.5;

interface Probe {
  httpGet: { path: string; port: string };
  periodSeconds: number;
  failureThreshold: number;
}

interface Labels {
  matchLabels: object;
}

/** What the test reads of the manifest, whose kinds are Deployment, Service and others. */
interface Resource {
  kind: string;
  metadata: { name: string };
  spec: {
    selector: Labels;
    maxUnavailable: number;
    minReadySeconds: number;
    ports: { port: number; targetPort: string }[];
    strategy: { rollingUpdate: { maxSurge: number; maxUnavailable: number } };
    scaleTargetRef: { kind: string; name: string };
    minReplicas: number;
    metrics: { pods: { metric: { name: string }; target: { averageValue: string } } }[];
    template: {
      metadata: { labels: object };
      spec: {
        terminationGracePeriodSeconds: number;
        containers: {
          command: string[];
          ports: { name: string; containerPort: number }[];
          readinessProbe: Probe;
          livenessProbe: Probe;
          lifecycle: { preStop: { sleep: { seconds: number } } };
          resources: { limits: { memory: string } };
        }[];
      };
    };
  };
}

const block = (language: string): string =>
  codeBlocks(DOCUMENT).find((each) => each.language === language)!.code;

const resources = parseAllDocuments(block('yaml')).map((document): Resource => {
  expect(document.errors).toEqual([]);
  return document.toJS() as Resource;
});
const of = (kind: string): Resource['spec'] =>
  resources.find((resource) => resource.kind === kind)!.spec;
const settings = settingsOf({});
const deployment = of('Deployment');
const pod = deployment.template.spec;
const [container] = pod.containers;

describe("docs/operating.md's manifest", () => {
  it('leaves more time than the shutdown of the module can take', () => {
    const shutdown = settings.drainTimeout / 1_000 + LAST_STOP_SECONDS;
    const { seconds } = container!.lifecycle.preStop.sleep;
    // As long again for what the application itself has to end.
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(seconds + 2 * shutdown);
  });

  it('waits until a probe may have found the pod not ready', () => {
    const { periodSeconds, failureThreshold } = container!.readinessProbe;
    expect(container!.lifecycle.preStop.sleep.seconds).toBeGreaterThanOrEqual(
      periodSeconds * failureThreshold,
    );
  });

  it('asks the paths of docs/health.md', () => {
    const health = read('docs/health.md');
    for (const { httpGet } of [container!.readinessProbe, container!.livenessProbe]) {
      expect(health).toContain(`path: ${httpGet.path},`);
      expect(container!.ports.map(({ name }) => name)).toContain(httpGet.port);
    }
  });

  it('never has fewer pods than asked for during an update', () => {
    expect(deployment.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    // Clients of one pod have left before those of the next are sent away.
    expect(deployment.minReadySeconds * 1_000).toBeGreaterThan(settings.drainTimeout);
  });

  it('sets the heap to three quarters of the memory', () => {
    const heap = /^--max-old-space-size=(\d+)$/.exec(container!.command[1]!)!;
    const [, gibibytes] = /^(\d+)Gi$/.exec(container!.resources.limits.memory)!;
    expect(Number(heap[1])).toBe(Number(gibibytes) * 1_024 * 0.75);
  });

  it('scales by a metric that exists, below the limit of connections', () => {
    const autoscaler = of('HorizontalPodAutoscaler');
    const [metric] = autoscaler.metrics;
    expect(INSTRUMENTS.map(prometheusName)).toContain(metric!.pods.metric.name);
    // With one pod less at the least number of pods, too.
    const { minReplicas } = autoscaler;
    const most = (Number(metric!.pods.target.averageValue) * minReplicas) / (minReplicas - 1);
    expect(most).toBeLessThan(settings.limits.connections);
    expect(autoscaler.scaleTargetRef).toMatchObject({ kind: 'Deployment', name: 'app' });
  });

  it('names the same pods everywhere', () => {
    const { labels } = deployment.template.metadata;
    expect(resources.map(({ metadata }) => metadata.name)).toEqual(['app', 'app', 'app', 'app']);
    expect(deployment.selector.matchLabels).toEqual(labels);
    expect(of('Service').selector).toEqual(labels);
    expect(of('PodDisruptionBudget').selector.matchLabels).toEqual(labels);
  });
});

describe('docs/operating.md', () => {
  it.each([
    ['nginx', 'proxy_read_timeout'],
    ['haproxy', 'timeout client'],
    ['haproxy', 'timeout server'],
  ])('gives %s a %s of more than two heartbeats', (language, setting) => {
    const [, seconds] = new RegExp(`${setting} (\\d+)s`).exec(block(language))!;
    expect(Number(seconds) * 1_000).toBeGreaterThan(2 * settings.heartbeat);
  });

  it('tells the defaults that its advice depends on', () => {
    const text = read(DOCUMENT);
    expect(text).toContain(`\`drainTimeout\` (${settings.drainTimeout / 1_000} s)`);
    expect(text).toContain(`\`heartbeat\` of ${settings.heartbeat / 1_000} s`);
    expect(text).toContain(`(${settings.limits.lastEventIdLength.toLocaleString('en-US')})`);
    const [from, to] = [0.5, 1.5].map((part) => (settings.retry * part) / 1_000);
    expect(text).toContain(`(${from} to ${to} s)`);
  });

  it('names no metric of ours that does not exist', () => {
    const known = new Set(INSTRUMENTS.map(prometheusName));
    const labels = new Set(INSTRUMENTS.flatMap((each) => Object.keys(each.labels)));
    const named = [...read(DOCUMENT).matchAll(/\bsse_[a-z_]+\b/g)].map(([name]) => name);
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !known.has(name) && !labels.has(name))).toEqual([]);
  });

  it('names no metric of prom-client that does not exist', () => {
    const register = new Registry();
    collectDefaultMetrics({ register });
    const known = new Set(register.getMetricsAsArray().map(({ name }) => name));
    const named = [...read(DOCUMENT).matchAll(/\b(?:nodejs|process)_[a-z0-9_]+\b/g)];
    expect(named.length).toBeGreaterThan(5);
    expect(named.map(([name]) => name).filter((name) => !known.has(name))).toEqual([]);
  });
});
