import './scripts/inline.mjs';
import { swcOptions } from './scripts/swc-options.mjs';

/** They are loaded once per process, not once per test file. Swagger would take no class for `Number`. */
const SHARED =
  '(@nestjs/(?!swagger/)[^/]+|class-transformer|express|fastify|reflect-metadata|rxjs)';

/** @type {import('jest').Config} */
export default {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.cache/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    [`/node_modules/${SHARED}/`]: '<rootDir>/test/support/jest/shared-package.mjs',
    '\\.ts$': ['@swc/jest', swcOptions],
  },
  transformIgnorePatterns: [`/node_modules/(?!${SHARED}/)`],
  testRunner: '<rootDir>/test/support/jest/jest-circus.mjs',
  setupFiles: ['<rootDir>/test/support/jest/shared-realm.mjs'],
  globalSetup: '<rootDir>/test/support/jest/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/jest/global-teardown.mjs',
  testSequencer: '<rootDir>/test/support/jest/longest-first.mjs',
  // Three more than the processors of a small machine: the files wait for two thirds of their time.
  maxWorkers: 5,
  // V8 first ends its work in the background, then its heap: 0.6 s for each GB, more on a busy
  // machine. Jest gave it half a second, and then told of a leak.
  workerGracefulExitTimeout: 10_000,
  // It ends what hangs, and judges no speed: other work may be going on beside the tests.
  testTimeout: (process.env.SOAK === '1' ? 15 : 2) * 60_000,
};
