import { read } from '../docs/markdown.js';

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly query: { query?: string } | string }[];
  };
}

const dashboard = JSON.parse(read('docs/grafana-dashboard.json')) as Dashboard;

/** All expressions of the dashboard's panels. */
export function dashboardExpressions(): string[] {
  return dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
}

/** The queries of its variables. */
export function variableQueries(): string[] {
  return dashboard.templating.list.flatMap(({ query }) =>
    typeof query === 'string' || query.query === undefined ? [] : [query.query],
  );
}

/** The groups of alerts in docs/metrics.md, as a file of rules. */
export function alertRules(): string {
  const [, rules] = /```yaml\n(groups:\n[\s\S]*?)```/.exec(read('docs/metrics.md'))!;
  return rules!;
}
