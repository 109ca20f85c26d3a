import { runExternalTests } from './external-tests.mjs';

runExternalTests({
  programs: [
    {
      title: 'Prometheus',
      variable: 'PROMETHEUS',
      names: ['prometheus'],
      package: 'prometheus',
    },
    {
      title: 'promtool',
      variable: 'PROMTOOL',
      names: ['promtool'],
      package: 'prometheus',
    },
  ],
  config: 'jest.prometheus.config.mjs',
});
