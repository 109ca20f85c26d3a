import { runTsc, runSwc, runNestBuild } from './builds.mjs';
import { runEsbuild, runWebpack } from './bundles.mjs';
import { compile, remarkOn } from './compile.mjs';
import {
  namesMissing,
  refusesNest10,
  refusesTwoCopies,
  runsWithTwoReflectMetadata,
} from './faults.mjs';
import { runBundledPage, runPage } from './pages.mjs';
import { runJest, runTsJest, runVitest } from './test-runners.mjs';

const ES_MODULES = 'ES modules';

/** @type {{ name: string, run: (tarball: string) => Promise<string | void> }[]} */
export const CASES = [
  tsc('nest-12', '6.0', ES_MODULES),
  tsc('nest-12', '5.9', 'CommonJS, node'),
  tsc('nest-11', '5.9', ES_MODULES),
  tsc('nest-11', '5.4', 'CommonJS, node'),
  of('nest-12: swc, ES modules', () => runSwc('nest-12', 'module')),
  of('nest-11: swc, CommonJS', () => runSwc('nest-11', 'commonjs')),
  of('nest-12: esbuild, ES modules', () => runEsbuild('nest-12', '6.0', ES_MODULES)),
  of('nest-11: esbuild, CommonJS', () => runEsbuild('nest-11', '5.4', 'CommonJS, node')),
  of('nest-12: webpack', () => runWebpack('nest-12', '6.0', ES_MODULES)),
  of('nest-11: webpack', () => runWebpack('nest-11', '5.4', 'CommonJS, node')),
  of('nest-12: nest build, ES modules', () => runNestBuild('nest-12', 'module')),
  of('nest-11: nest build, CommonJS', () => runNestBuild('nest-11', 'commonjs')),
  of('nest-12: Jest, ES modules', () => runJest('nest-12', 'module')),
  of('nest-11: Jest, ES modules', () => runJest('nest-11', 'module')),
  of('nest-11: Jest, CommonJS', () => runJest('nest-11', 'commonjs')),
  of('nest-12: ts-jest, ES modules', () => runTsJest('nest-12', 'module')),
  of('nest-11: ts-jest, CommonJS', () => runTsJest('nest-11', 'commonjs')),
  of('nest-12: Vitest', () => runVitest('nest-12')),
  of('nest-11: Vitest', () => runVitest('nest-11')),
  types('nest-12', '5.4', ES_MODULES),
  types('nest-12', '5.4', 'CommonJS, node'),
  types('nest-12', '5.9', 'CommonJS, nodenext'),
  types('nest-12', '5.9', 'bundler'),
  types('nest-12', '6.0', 'CommonJS, nodenext'),
  types('nest-11', '5.9', 'CommonJS, nodenext'),
  types('nest-11', '6.0', ES_MODULES),
  page('6.0', ES_MODULES),
  page('5.9', 'CommonJS, nodenext'),
  page('5.4', 'CommonJS, node'),
  of('page with React: esbuild', () => runBundledPage('esbuild')),
  of('page with React: webpack', () => runBundledPage('webpack')),
  of('page with React: Vite', () => runBundledPage('vite')),
  of('fault: Nest 10', refusesNest10),
  of('fault: no rxjs', () => namesMissing('rxjs')),
  of('fault: no @nestjs/core', () => namesMissing('@nestjs/core')),
  of('fault: two copies, decorator', () => refusesTwoCopies('decorator')),
  of('fault: two copies, module', () => refusesTwoCopies('module')),
  of('fault: two copies, service', () => refusesTwoCopies('service')),
  of('no fault: two copies of reflect-metadata', runsWithTwoReflectMetadata),
];

function of(name, run) {
  return { name, run };
}

function tsc(line, version, setting) {
  return of(`${line}: tsc, TypeScript ${version}, ${setting}`, () =>
    runTsc(line, version, setting),
  );
}

function page(version, setting) {
  return of(`page with React: tsc, TypeScript ${version}, ${setting}`, () =>
    runPage(version, setting),
  );
}

/** Declarations only: the program that comes out is one that another case runs. */
function types(line, version, setting) {
  return of(`${line}: types, TypeScript ${version}, ${setting}`, async () =>
    remarkOn(await compile(line, version, setting)),
  );
}
