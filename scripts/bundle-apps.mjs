// Makes one script of the applications that tests start, and of the packages they use. From files,
// each of their processes would find, read and link 1,100 modules, two thirds of what it costs.
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const COMPILED = join(root, 'dist-tests');
const BUNDLE = join(COMPILED, 'bundle.cjs');
/** What they are compiled to, by compile-apps.mjs. */
const APPS = [
  'sample/main',
  'test/event-table/app-main',
  'test/presence/app',
  'test/redis/app',
  'test/runs/app',
];
const ENTRIES = APPS.map((name) => join(COMPILED, `${name}.js`));
const REQUIRE = /\brequire\(\s*(['"])([^'"\n]+)\1\s*\)/g;
const COMMONJS = {
  swcrc: false,
  jsc: { target: 'es2022', keepClassNames: true },
  module: { type: 'commonjs', importInterop: 'node' },
};

/** The modules of the last bundle. Installed packages and this script decide what else is in it. */
const KEPT = join(root, '.cache/bundled-modules.json');
const VERSION = createHash('sha1')
  .update(readFileSync(join(root, 'package-lock.json')))
  .update(readFileSync(import.meta.filename))
  .digest('hex');

/** The end of the bundle: `load()` runs a module when it is first required, as Node does. */
const LOADER = `
const { createRequire } = require('node:module');
const { dirname } = require('node:path');
const loaded = new Map();
const load = (id) => {
  if (loaded.has(id)) return loaded.get(id).exports;
  const [file, links, run] = modules[id];
  const module = { id: file, filename: file, exports: {} };
  loaded.set(id, module);
  const fromFile = (name) => createRequire(file)(name);
  const find = (name) => (Object.hasOwn(links, name) ? load(links[name]) : fromFile(name));
  find.resolve = (...args) => createRequire(file).resolve(...args);
  run.call(module.exports, module, module.exports, find, file, dirname(file));
  return module.exports;
};
exports.start = (app) => load(modules.findIndex(([file]) => file === app));`;

/** Makes the bundle if one of its modules has changed, and a script that starts each application. */
export async function bundleApps() {
  const { transformSync } = await import('@swc/core');
  const kept = existsSync(KEPT) ? JSON.parse(readFileSync(KEPT, 'utf8')) : {};
  const known = kept.version === VERSION ? kept.modules : {};
  const modules = {};
  const add = (file) => {
    if (modules[file]) return;
    const { mtimeMs, size } = statSync(file);
    const state = `${mtimeMs} ${size}`;
    modules[file] =
      known[file]?.state === state ? known[file] : { state, ...readModule(file, transformSync) };
    Object.values(modules[file].links).forEach(add);
  };
  ENTRIES.forEach(add);
  const changed = Object.keys(modules).some((file) => modules[file] !== known[file]);
  if (existsSync(BUNDLE) && !changed) return;
  write(BUNDLE, textOf(modules));
  for (const entry of ENTRIES) {
    const start = `require(${JSON.stringify(BUNDLE)}).start(${JSON.stringify(entry)});\n`;
    write(entry.replace(/js$/, 'cjs'), start);
  }
  write(KEPT, JSON.stringify({ version: VERSION, modules }));
}

/** The code of a CommonJS module, and the files of those that it requires. */
function readModule(file, transform) {
  const source = readFileSync(file, 'utf8');
  if (file.endsWith('.json')) return { code: `module.exports = ${source}`, links: {} };
  const isScript =
    file.endsWith('.cjs') || (file.endsWith('.js') && typeOf(dirname(file)) !== 'module');
  const code = isScript ? source : transform(source, { ...COMMONJS, filename: file }).code;
  const links = {};
  for (const [, , name] of code.matchAll(REQUIRE)) {
    const target = find(name, file);
    if (target !== undefined) links[name] = target;
  }
  return { code, links };
}

/** The file that is required; none when Node has to load it, or when its package is missing. */
function find(name, from) {
  if (isBuiltin(name)) return undefined;
  try {
    const file = createRequire(from).resolve(name);
    return /\.(js|cjs|mjs|json)$/.test(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

const types = new Map();

/** The `type` of the package that the folder belongs to. */
function typeOf(folder) {
  if (!types.has(folder)) {
    const file = join(folder, 'package.json');
    const type = existsSync(file)
      ? JSON.parse(readFileSync(file, 'utf8')).type
      : typeOf(dirname(folder));
    types.set(folder, type);
  }
  return types.get(folder);
}

function textOf(modules) {
  const files = Object.keys(modules);
  const ids = new Map(files.map((file, id) => [file, id]));
  const texts = files.map((file) => {
    const { code, links } = modules[file];
    const linked = Object.entries(links).map(([name, target]) => [name, ids.get(target)]);
    // Applications await their start.
    const kind = ENTRIES.includes(file) ? 'async function' : 'function';
    return `[${JSON.stringify(file)}, ${JSON.stringify(Object.fromEntries(linked))},
${kind} (module, exports, require, __filename, __dirname) {${code}
}]`;
  });
  return `const modules = [${texts.join(',\n')}];${LOADER}`;
}

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  // In one step: another run of the tests may do the same at this moment.
  const scratch = `${file}.${randomUUID()}`;
  writeFileSync(scratch, text);
  renameSync(scratch, file);
}
