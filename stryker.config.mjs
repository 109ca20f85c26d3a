// Children inherit it: what a random test finds is not made smaller, as only that it fails counts.
process.env.SHRINK = '0';

/**
 * Mutation testing of the core and of delivery, with the tests that need no server.
 * One file: `npm run test:mutation -- --mutate lib/channel/cursor.ts`
 */
export default {
  mutate: ['lib/channel/**/*.ts', 'lib/delivery/**/*.ts'],
  testRunner: 'jest',
  testRunnerNodeArgs: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
  jest: { configFile: 'jest.unit.config.mjs', enableFindRelatedTests: false },
  // Nearly all of them are the words of messages.
  mutator: { excludedMutations: ['StringLiteral'] },
  coverageAnalysis: 'perTest',
  // A mutant of a module's constants would have every test run again.
  ignoreStatic: true,
  concurrency: 2,
  // On a busy machine a shorter one counts mutants as found that no test has found.
  timeoutMS: 60_000,
  // Results of earlier runs are used again where neither the code nor its tests have changed.
  incremental: true,
  incrementalFile: '.cache/mutation/incremental.json',
  tempDirName: '.cache/mutation/sandbox',
  ignorePatterns: [
    '/dist',
    '/dist-*',
    '/.cache',
    '/bench',
    '/docs',
    '/sample',
    '/recipes',
    '/site',
  ],
  reporters: ['clear-text', 'progress', 'html'],
  htmlReporter: { fileName: '.cache/mutation/report.html' },
  clearTextReporter: { allowColor: false, reportTests: false, logTests: false },
  plugins: ['@stryker-mutator/jest-runner'],
};
