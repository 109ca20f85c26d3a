// What the builds of consumers are made in: a folder with the tools, and a project for each line
// of Nest with the packed package. They stand outside of this repository, as everything below it
// would find the packages that are installed for its tests, ioredis and pg among them.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { NEST_11 } from '../nest-versions.mjs';
import { run } from './run.mjs';

export const NAME = 'nestjs-sse-channels';
export const root = resolve(import.meta.dirname, '../..');

const home = join(
  tmpdir(),
  `${NAME}-consumers-${createHash('sha1').update(root).digest('hex').slice(0, 8)}`,
);
export const tools = join(home, 'tools');

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const PEERS = ['common', 'core', 'platform-express', 'terminus', 'testing'].map(
  (name) => `@nestjs/${name}`,
);
const OTHERS = { 'reflect-metadata': '^0.2.2', rxjs: '^7.8.2', '@types/node': '^20.19.43' };

/** For pages. One line is without it. */
const REACT = ['react', 'react-dom', '@types/react', '@types/react-dom'];

/** @type {Record<string, Record<string, string>>} what each project has beside the package */
const LINES = {
  'nest-11': { ...versions(NEST_11), ...OTHERS },
  'nest-12': { ...versions(manifest.devDependencies), ...OTHERS, ...named(REACT) },
};

/** What an application has that is too old. */
export const NEST_10 = { '@nestjs/common': '^10.4.0', '@nestjs/core': '^10.4.0' };

const TOOLS = {
  // It brings webpack.
  '@nestjs/cli': '11.0.24',
  esbuild: '^0.28.2',
  jest: '^30.5.2',
  'reflect-metadata-0.1': 'npm:reflect-metadata@0.1.14',
  'ts-jest': '^29.4.0',
  typescript: '5.9.3',
  'typescript-5.4': 'npm:typescript@5.4.5',
  'typescript-5.9': 'npm:typescript@5.9.3',
  // The last that runs on Node 20.
  vitest: '^4.1.12',
};

function versions(from) {
  return Object.fromEntries(PEERS.map((name) => [name, from[name]]));
}

function named(names) {
  return Object.fromEntries(names.map((name) => [name, manifest.devDependencies[name]]));
}

/** Packs the package, and installs it and the tools. */
export async function prepare() {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const tarball = await pack();
  await Promise.all([
    install(tools, TOOLS),
    installProject(projectOf('nest-10'), { ...NEST_10, ...OTHERS }, tarball, '--legacy-peer-deps'),
    ...Object.entries(LINES).map(([line, dependencies]) =>
      installProject(projectOf(line), dependencies, tarball),
    ),
  ]);
  return tarball;
}

export function projectOf(line) {
  return join(home, line);
}

/**
 * An empty folder in a project of a line.
 * @param {'module' | 'commonjs'} type what its .js files are
 */
export function emptyFolder(line, name, type, files) {
  const folder = join(projectOf(line), 'cases', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type }));
  for (const [path, content] of Object.entries(files)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content, null, 2);
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

async function pack() {
  const args = ['pack', '--json', '--pack-destination', home];
  const output = await run(root, 'npm', ...args);
  const listed = JSON.parse(output.slice(output.search(/^[[{]/m)));
  const [{ filename }] = Array.isArray(listed) ? listed : Object.values(listed);
  return join(home, filename);
}

/** As a user would, and npm refuses peers that do not fit. */
async function installProject(project, dependencies, tarball, ...flags) {
  const { peerDependencies, peerDependenciesMeta } = manifest;
  const wanted = { ...dependencies, [NAME]: `file:${tarball}` };
  await install(project, wanted, { peerDependencies, peerDependenciesMeta }, flags);
  const installed = join(project, 'node_modules', NAME);
  rmSync(installed, { recursive: true });
  mkdirSync(installed);
  await run(project, 'tar', '-xzf', tarball, '--strip-components=1', '-C', installed);
}

const QUIETLY = ['--no-audit', '--no-fund', '--prefer-offline'];

/** Does nothing where the same is installed. */
async function install(folder, dependencies, besides = {}, flags = []) {
  const text = JSON.stringify({ private: true, type: 'module', dependencies });
  const state = createHash('sha1').update(text).update(JSON.stringify(besides)).digest('hex');
  const file = join(folder, 'node_modules/.consumers');
  if (existsSync(file) && readFileSync(file, 'utf8') === state) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), text);
  await run(folder, 'npm', 'install', ...flags, ...QUIETLY);
  writeFileSync(file, state);
}
