import { runExternalTests } from './external-tests.mjs';

runExternalTests({
  programs: [
    {
      title: 'NATS server',
      variable: 'NATS_SERVER',
      names: ['nats-server'],
      package: 'nats-server',
    },
  ],
  config: 'jest.nats.config.mjs',
});
