import all from './jest.config.mjs';

/** The tests of the core, the frames and the test client: they need no server, and take seconds. */
const { globalSetup: _globalSetup, globalTeardown: _globalTeardown, ...config } = all;

/** @type {import('jest').Config} */
export default {
  ...config,
  coverageProvider: 'v8',
  collectCoverageFrom: ['lib/{channel,delivery}/**/*.ts'],
  coverageReporters: ['text', 'lcovonly'],
  testMatch: [
    '<rootDir>/test/channel/*.test.ts',
    '<rootDir>/test/delivery/{admission,changing-set,changing-subscription,emitted-frame,entry-merge,flush-queue,frame,gzip-stream,handler-events,handler-reader,handler-writer,iterable-stream,labels,latest,latest-by-key,log-blocks,opening,reader-model,readers,revocations,snapshot-cursor,snapshot-model,subscription,subscription-ids,subscription-places,walk}.test.ts',
    '<rootDir>/test/testing/*.test.ts',
    '<rootDir>/test/poll/*.test.ts',
  ],
};
