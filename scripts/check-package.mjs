// Checks what users would install: the packed files, their types, and that the package loads from
// ES modules and from CommonJS in a project that has neither ioredis nor pg.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build, transform } from 'esbuild';

const NAME = 'nestjs-sse-channels';
const PEERS = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'];
const ALLOWED = /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|dist\/.+\.(js|d\.ts))$/;
const REQUIRED = [
  'package.json',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  ...[
    'index',
    'testing/index',
    'swagger/index',
    'terminus/index',
    'opentelemetry/index',
    'publish/index',
    'inspector/index',
    'client/index',
    'react/index',
    'typed/index',
    'cli',
  ].flatMap((name) => [`dist/${name}.js`, `dist/${name}.d.ts`]),
];

/** The most that a page may have of the client, minified and compressed, by what it imports. */
const MOST_CLIENT_BYTES = { SseClient: 6_144, 'SseClient, shareTabs': 8_704 };

/** The most that the hooks for React add to the client, minified and in gzip. */
const MOST_REACT_BYTES = 1_024;

/** npm runs these when somebody installs a tarball or a commit, or warns that it does not. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare'];

const root = resolve(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), `${NAME}-package-`));

try {
  run(root, 'npm', 'run', 'build');
  hasNoInstallScript();
  await clientIsSmall();
  await hooksAreSmall();
  const tarball = pack();
  step('publint');
  run(root, 'npx', 'publint', 'run', tarball, '--strict');
  step('attw');
  run(root, 'npx', 'attw', tarball, '--profile', 'esm-only');
  const project = installFrom(tarball);
  importsFrom(project);
  typesFrom(project);
  commandLineFrom(project);
  console.log('\nThe package is as it should be.');
} catch (error) {
  console.error(`\nThe package is not as it should be: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function hasNoInstallScript() {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const found = INSTALL_SCRIPTS.filter((name) => name in scripts);
  if (found.length > 0) throw new Error(`its script ${found.join(', ')} would run at users`);
}

/** What a page loads that has the client. */
async function clientIsSmall() {
  step('size of the client');
  const client = join(root, 'dist/client/index.js');
  for (const [names, most] of Object.entries(MOST_CLIENT_BYTES)) {
    const { outputFiles } = await build({
      stdin: { contents: `export { ${names} } from ${JSON.stringify(client)};`, resolveDir: root },
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      target: 'es2020',
    });
    const code = outputFiles[0].contents;
    const { length } = brotliCompressSync(code);
    console.log(
      `${names}: ${code.length} bytes minified, ${length} in Brotli, ${gzipSync(code).length} in gzip`,
    );
    if (length > most) {
      throw new Error(`${names}: the client has ${length} bytes in Brotli, more than ${most}`);
    }
  }
  const whole = readFileSync(join(root, 'dist/client/index.min.js'), 'utf8');
  if (/\bimport\b/.test(whole)) throw new Error('the client imports something');
}

/** What a page of React loads besides. */
async function hooksAreSmall() {
  step('size of the hooks');
  const code = readFileSync(join(root, 'dist/react/index.js'), 'utf8');
  const { length } = gzipSync((await transform(code, { minify: true, format: 'esm' })).code);
  console.log(`${length} bytes, minified and in gzip`);
  if (length > MOST_REACT_BYTES) {
    throw new Error(`the hooks have ${length} bytes in gzip, more than ${MOST_REACT_BYTES}`);
  }
  const imported = [...code.matchAll(/from ["']([^"']+)/g)].map(([, name]) => name);
  if (imported.some((name) => name !== 'react')) throw new Error(`the hooks import ${imported}`);
  if (!code.startsWith("'use client'"))
    throw new Error('the hooks do not say that they are for clients');
}

function pack() {
  step('packed files');
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch];
  const output = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8' }));
  const [{ filename, files, size, unpackedSize }] = Array.isArray(output)
    ? output
    : Object.values(output);
  const paths = files.map((file) => file.path);
  const strange = paths.filter((path) => !ALLOWED.test(path));
  if (strange.length > 0) throw new Error(`nobody needs ${strange.join(', ')}`);
  const missing = REQUIRED.filter((path) => !paths.includes(path));
  if (missing.length > 0) throw new Error(`${missing.join(', ')} not packed`);
  console.log(`${paths.length} files, ${size} bytes packed, ${unpackedSize} unpacked`);
  return join(scratch, filename);
}

/** Unpacks the tarball as npm would, beside the peer dependencies that are not optional. */
function installFrom(tarball) {
  const project = join(scratch, 'project');
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, NAME), { recursive: true });
  run(scratch, 'tar', '-xzf', tarball, '--strip-components=1', '-C', join(modules, NAME));
  for (const peer of [...PEERS, 'react', '@types/react', '@types/node']) {
    mkdirSync(dirname(join(modules, peer)), { recursive: true });
    symlinkSync(join(root, 'node_modules', peer), join(modules, peer), 'dir');
  }
  return project;
}

function importsFrom(project) {
  step('import and require');
  const check = `
    for (const [name, value] of Object.entries({ SseModule, SseService, SseTestClient, describeSseChannels, SsePublishModule, SseInspectorModule, defineChannel, SseClient, useChannel }))
      if (typeof value !== 'function') throw new Error(name + ' is not exported');
    console.log('loaded by', typeof require === 'function' ? 'require' : 'import');`;
  writeFileSync(
    join(project, 'esm.mjs'),
    `import 'reflect-metadata';
    import { SseModule, SseService } from '${NAME}';
    import { SseTestClient } from '${NAME}/testing';
    import { describeSseChannels } from '${NAME}/swagger';
    import { SsePublishModule } from '${NAME}/publish';
    import { SseInspectorModule } from '${NAME}/inspector';
    import { defineChannel } from '${NAME}/channel';
    import { SseClient } from '${NAME}/client';
    import { useChannel } from '${NAME}/react';${check}`,
  );
  writeFileSync(
    join(project, 'cjs.cjs'),
    `require('reflect-metadata');
    const { SseModule, SseService } = require('${NAME}');
    const { SseTestClient } = require('${NAME}/testing');
    const { describeSseChannels } = require('${NAME}/swagger');
    const { SsePublishModule } = require('${NAME}/publish');
    const { SseInspectorModule } = require('${NAME}/inspector');
    const { defineChannel } = require('${NAME}/channel');
    const { SseClient } = require('${NAME}/client');
    const { useChannel } = require('${NAME}/react');${check}`,
  );
  run(project, process.execPath, '--disable-warning=ExperimentalWarning', 'esm.mjs');
  run(project, process.execPath, '--disable-warning=ExperimentalWarning', 'cjs.cjs');
  optionalFrom(project, 'terminus', '@nestjs/terminus', 'SseHealthIndicator');
  mkdirSync(join(project, 'node_modules/@opentelemetry'), { recursive: true });
  optionalFrom(project, 'opentelemetry', '@opentelemetry/api', 'SseOpenTelemetryModule');
}

/** All else has been loaded without these optional packages. */
function optionalFrom(project, entry, packageName, exported) {
  symlinkSync(
    join(root, 'node_modules', packageName),
    join(project, 'node_modules', packageName),
    'dir',
  );
  const load = {
    [`${entry}.mjs`]: `import { ${exported} } from '${NAME}/${entry}';`,
    [`${entry}.cjs`]: `const { ${exported} } = require('${NAME}/${entry}');`,
  };
  for (const [file, line] of Object.entries(load)) {
    const check = `if (typeof ${exported} !== 'function') throw new Error('not exported');`;
    writeFileSync(join(project, file), `${line}${check}`);
    run(project, process.execPath, '--disable-warning=ExperimentalWarning', file);
  }
}

function typesFrom(project) {
  step('types');
  const source = `import { Module } from '@nestjs/common';
    import { SseModule, SseService } from '${NAME}';
    import { SseTestClient } from '${NAME}/testing';
    import { describeSseChannels } from '${NAME}/swagger';
    import { SseHealthIndicator } from '${NAME}/terminus';
    import { SseOpenTelemetryModule } from '${NAME}/opentelemetry';
    import { SsePublishModule } from '${NAME}/publish';
    import { SseInspectorModule } from '${NAME}/inspector';
    import { defineChannel, unchecked } from '${NAME}/channel';
    import { SseClient } from '${NAME}/client';
    import { useChannel } from '${NAME}/react';
    @Module({ imports: [SseModule.forRoot({}), SsePublishModule.forRoot({ guards: 'none' }), SseInspectorModule.forRoot({ guards: 'none' }), SseOpenTelemetryModule.forRoot()] })
    export class AppModule { constructor(readonly sse: SseService) {} }
    export const connect = SseTestClient.connect;
    export const describe = describeSseChannels;
    export const isUp = (health: SseHealthIndicator) => health.ready().sse.status === 'up';
    export const Job = defineChannel('job:{id}', { progress: unchecked<{ percent: number }>() });
    export const name: string = Job.channel({ id: 1 });
    new SseClient('/stream').subscribe(Job, { id: 1 }, { onEvent: ({ data }) => data.percent });
    export const usePercent = () => useChannel(Job, { id: 1 }).event?.data.percent;`;
  writeFileSync(join(project, 'types.mts'), source);
  writeFileSync(join(project, 'types.cts'), source);
  const compilerOptions = {
    target: 'ES2022',
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
  };
  const files = ['types.mts', 'types.cts'];
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  run(root, 'npx', 'tsc', '-p', project);
}

function commandLineFrom(project) {
  step('command line');
  const cli = join(project, 'node_modules', NAME, 'dist', 'cli.js');
  run(project, cli, 'sql', '--table', 'users', '--channel', 'user_updates');
}

function step(title) {
  console.log(`\n— ${title}`);
}

function run(cwd, command, ...args) {
  try {
    execFileSync(command, args, { cwd, stdio: 'inherit' });
  } catch (error) {
    throw new Error(`"${[command, ...args].join(' ')}" failed`, { cause: error });
  }
}
