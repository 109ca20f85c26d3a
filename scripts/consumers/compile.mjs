// Compiles the README's first example in a project that has neither ioredis nor pg, with the
// declarations of packages checked, ours above all.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AS_PROGRAM, WITH_ENTRIES } from './example.mjs';
import { emptyFolder, NAME, projectOf, root, tools } from './folders.mjs';
import { outcomeOf } from './run.mjs';

export const COMPILERS = {
  5.4: join(tools, 'node_modules/typescript-5.4/bin/tsc'),
  5.9: join(tools, 'node_modules/typescript-5.9/bin/tsc'),
  '6.0': join(root, 'node_modules/typescript/bin/tsc'),
};

/** How an application's compiler may be set: the form of its files, and how it finds packages. */
export const SETTINGS = {
  'ES modules': { type: 'module', module: 'NodeNext', moduleResolution: 'NodeNext' },
  'CommonJS, nodenext': { type: 'commonjs', module: 'NodeNext', moduleResolution: 'NodeNext' },
  'CommonJS, node': { type: 'commonjs', module: 'CommonJS', moduleResolution: 'node' },
  bundler: { type: 'module', module: 'ESNext', moduleResolution: 'bundler' },
};

const compiled = new Map();

/**
 * Compiles once, however many ask for the same.
 * @returns the folder with `dist/main.js`, and how many errors the packages of others have
 * @throws with the errors that are ours
 */
export function compile(line, version, setting) {
  const name = `${line} ${version} ${setting}`;
  const result = compiled.get(name) ?? compileAnew(line, version, setting);
  compiled.set(name, result);
  return result;
}

async function compileAnew(line, version, setting) {
  for (const optional of ['ioredis', 'pg']) {
    if (existsSync(join(projectOf(line), 'node_modules', optional))) {
      throw new Error(`${optional} is installed, so this would prove nothing`);
    }
  }
  const { type, ...options } = SETTINGS[setting];
  const folder = emptyFolder(line, `tsc-${version}-${setting.replaceAll(/\W+/g, '-')}`, type, {
    'main.ts': AS_PROGRAM,
    'entries.ts': WITH_ENTRIES,
    'tsconfig.json': {
      compilerOptions: {
        target: 'ES2022',
        ...options,
        strict: true,
        exactOptionalPropertyTypes: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        skipLibCheck: false,
        types: ['node'],
        rootDir: '.',
        outDir: 'dist',
      },
      files: ['main.ts', 'entries.ts'],
    },
  });
  const args = [COMPILERS[version], '-p', '.', '--pretty', 'false'];
  return {
    folder,
    foreignErrors: errorsOfOurs(await outcomeOf(folder, process.execPath, ...args)),
  };
}

/**
 * @returns how many errors the packages of others have
 * @throws with the errors that are ours
 */
export function errorsOfOurs({ code, output }) {
  const errors = output.split('\n').filter((text) => /error TS\d+:/.test(text));
  if (code !== 0 && errors.length === 0) throw new Error(output);
  const ours = errors.filter((text) => !isOfOthers(text));
  if (ours.length > 0) throw new Error(ours.join('\n'));
  return errors.length;
}

/** Errors of others are hidden by `skipLibCheck`, which Nest's own projects set. */
export function remarkOn({ foreignErrors }) {
  return foreignErrors > 0 ? `${foreignErrors} errors in the declarations of other packages` : '';
}

/** An error in a package that is not ours; one in the example itself is ours. */
function isOfOthers(text) {
  const [file] = text.split('(');
  return file.includes('node_modules/') && !file.includes(`node_modules/${NAME}/`);
}
