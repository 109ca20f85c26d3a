import base from './jest.config.mjs';

/** @type {import('jest').Config} */
export default {
  ...base,
  testMatch: ['<rootDir>/test/metrics/**/*.prometheus.ts'],
  testTimeout: 60_000,
};
