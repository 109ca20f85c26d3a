import { relative } from 'node:path';

/** Writes what passed and failed, in the words of Jest, whose reports CI reads. */
export default async function* count(source) {
  let passed = 0;
  let failed = 0;
  const failedFiles = new Set();
  for await (const { type, data } of source) {
    if (type === 'test:fail') failedFiles.add(relative(process.cwd(), data.file ?? data.name));
    if (data?.details?.type === 'suite') continue;
    if (type === 'test:pass') passed++;
    if (type === 'test:fail') failed++;
  }
  yield JSON.stringify({
    numPassedTests: passed,
    numFailedTests: failed,
    numRuntimeErrorTestSuites: 0,
    testResults: [...failedFiles].map((name) => ({ name, status: 'failed' })),
  });
}
