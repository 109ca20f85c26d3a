import base from './jest.config.mjs';

/** @type {import('jest').Config} */
export default {
  ...base,
  testMatch: ['<rootDir>/test/upgrade/**/*.upgrade.ts'],
  testTimeout: 300_000,
};
