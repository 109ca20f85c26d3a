// Tests of the README's first example, in the runners that Nest's users have.
import { join } from 'node:path';
import { swcOptions } from '../swc-options.mjs';
import { AS_TEST } from './example.mjs';
import { emptyFolder, NAME, root, tools } from './folders.mjs';
import { node } from './run.mjs';

const ownModules = join(root, 'node_modules');

/** @param {'module' | 'commonjs'} type */
export async function runJest(line, type) {
  const isModule = type === 'module';
  const swc = { ...swcOptions, module: { type: isModule ? 'es6' : 'commonjs' } };
  const folder = emptyFolder(line, `jest-${type}`, type, {
    'app.test.ts': AS_TEST,
    'jest.config.json': {
      testMatch: ['<rootDir>/*.test.ts'],
      transform: {
        [isModule ? '\\.ts$' : '\\.[jt]s$']: [join(ownModules, '@swc/jest/index.js'), swc],
      },
      ...(isModule
        ? { extensionsToTreatAsEsm: ['.ts'] }
        : // Jest's CommonJS cannot load ES modules, so this package is translated for it.
          { transformIgnorePatterns: [`/node_modules/(?!${NAME}/)`] }),
    },
  });
  const flags = isModule ? ['--experimental-vm-modules'] : [];
  await node(folder, ...flags, join(ownModules, 'jest/bin/jest.js'), '--runInBand', '--no-cache');
}

export async function runVitest(line) {
  const folder = emptyFolder(line, 'vitest', 'module', {
    'app.test.ts': AS_TEST,
    'vitest.config.mjs': 'export default { test: { globals: true } };',
    // Vite reads of decorators here.
    'tsconfig.json': {
      compilerOptions: {
        target: 'ES2022',
        module: 'NodeNext',
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
      },
    },
  });
  await node(folder, join(tools, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder);
}
