import { runExternalTests } from './external-tests.mjs';

runExternalTests({
  programs: [
    {
      title: 'PgBouncer',
      variable: 'PGBOUNCER',
      names: ['pgbouncer'],
      package: 'pgbouncer',
    },
  ],
  config: 'jest.pgbouncer.config.mjs',
});
