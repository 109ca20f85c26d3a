// Tests of the README's first example, in the runners that Nest's users have.
import { readFileSync } from 'node:fs';
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

const recipes = readFileSync(join(root, 'docs/recipes.md'), 'utf8');
const [moduleConfig, commonjsConfig] = [...recipes.matchAll(/^ *```json\n([\s\S]*?)^ *```$/gm)]
  .map(([, text]) => text)
  .filter((text) => text.includes('ts-jest'));

/** As the recipe for tests says, in a project as `nest new` of Nest 11 writes it. */
export async function runTsJest(line, type) {
  const isModule = type === 'module';
  const tsJest = join(tools, 'node_modules/ts-jest/dist/index.js');
  const config = JSON.parse(isModule ? moduleConfig : commonjsConfig);
  const transform = Object.entries(config.transform).map(([files, [, options]]) => [
    files,
    [tsJest, options],
  ]);
  const folder = emptyFolder(line, `ts-jest-${type}`, 'commonjs', {
    'app.test.ts': AS_TEST,
    'jest.config.json': { ...config, transform: Object.fromEntries(transform) },
    'tsconfig.json': {
      compilerOptions: {
        module: 'nodenext',
        moduleResolution: 'nodenext',
        resolvePackageJsonExports: true,
        esModuleInterop: true,
        isolatedModules: true,
        emitDecoratorMetadata: true,
        experimentalDecorators: true,
        target: 'ES2023',
        skipLibCheck: true,
      },
    },
  });
  const flags = isModule ? ['--experimental-vm-modules'] : [];
  const jest = join(tools, 'node_modules/jest/bin/jest.js');
  await node(folder, ...flags, jest, '--runInBand', '--no-cache');
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
