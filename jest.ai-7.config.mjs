import base from './jest.config.mjs';

/** The tests with the AI SDK 7 that scripts/test-ai-7.mjs has installed, in place of 6. */
const folder = '<rootDir>/.cache/ai-7/node_modules/ai/dist';

/** @type {import('jest').Config} */
export default {
  ...base,
  // Node 22 does not let the project's own runner replace what Jest uses.
  testRunner: 'jest-circus/runner',
  testMatch: ['<rootDir>/test/runs/ai-sdk.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/\\.cache/(?!ai-7/)'],
  moduleNameMapper: {
    '^ai$': `${folder}/index.js`,
    '^ai/test$': `${folder}/test/index.js`,
    ...base.moduleNameMapper,
  },
};
