// How compilers of Nest's users turn the README's first example into a program that runs.
import { transformSync } from '@swc/core';
import { join } from 'node:path';
import { swcOptions } from '../swc-options.mjs';
import { compile, remarkOn } from './compile.mjs';
import { AS_PROGRAM } from './example.mjs';
import { emptyFolder, tools } from './folders.mjs';
import { runExample } from './request.mjs';
import { node } from './run.mjs';

export async function runTsc(line, version, setting) {
  const result = await compile(line, version, setting);
  await runExample(join(result.folder, 'dist/main.js'));
  return remarkOn(result);
}

/** @param {'module' | 'commonjs'} type */
export async function runSwc(line, type) {
  const isModule = type === 'module';
  const folder = emptyFolder(line, `swc-${type}`, type, {
    'main.js': compileBySwc(AS_PROGRAM, isModule ? 'es6' : 'commonjs'),
  });
  await runExample(join(folder, 'main.js'));
}

/** @param {'es6' | 'commonjs'} type */
export function compileBySwc(source, type = 'es6') {
  return transformSync(source, { ...swcOptions, module: { type }, filename: 'main.ts' }).code;
}

/**
 * With the settings that `nest new` writes.
 * @param {'module' | 'commonjs'} type
 */
export async function runNestBuild(line, type) {
  const folder = emptyFolder(line, `nest-build-${type}`, type, {
    'main.ts': AS_PROGRAM,
    'nest-cli.json': { sourceRoot: '.', compilerOptions: { deleteOutDir: true } },
    'tsconfig.build.json': { extends: './tsconfig.json', exclude: ['node_modules', 'dist'] },
    'tsconfig.json': {
      compilerOptions: {
        module: 'nodenext',
        moduleResolution: 'nodenext',
        resolvePackageJsonExports: true,
        esModuleInterop: true,
        isolatedModules: true,
        declaration: true,
        removeComments: true,
        emitDecoratorMetadata: true,
        experimentalDecorators: true,
        allowSyntheticDefaultImports: true,
        target: 'ES2023',
        sourceMap: true,
        outDir: './dist',
        skipLibCheck: true,
        strictNullChecks: true,
        types: ['node'],
      },
    },
  });
  await node(folder, join(tools, 'node_modules/@nestjs/cli/bin/nest.js'), 'build');
  await runExample(join(folder, 'dist/main.js'));
}
