// Makes one TypeScript module of all .lua files of a folder of lib/, one of its .sql files, and one of
// the files of the inspector's page, so that nothing is read from disk at run time. CONTRIBUTING.md
// tells how such files are written.
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';

const lib = resolve(import.meta.dirname, '../lib');
/** Files of folders with this name are only included by others. */
const PARTS = 'parts';
const INCLUDE = /^[ \t]*--!include (\S+)$/gm;
const CONSTANT = /^local ([A-Z_]+) = (\d+|'[^'\\\n]*')(?: --!export)?\n/gm;
const FUNCTION = /^local function (\w+)\([^)\n]*\)\n[^]*?^end\n/gm;
const WORD_OR_TEXT = /'(?:[^'\\\n]|\\.)*'|[A-Za-z_]\w*/g;
const EXPORTED = /^local (\w+) = (.+) --!export$/gm;

const folders = new Map();
for (const name of readdirSync(lib, { recursive: true })) {
  const file = join(lib, name);
  const isPart = basename(dirname(file)) === PARTS;
  const folder = isPart ? dirname(dirname(file)) : dirname(file);
  const module = join(folder, `${extname(file).slice(1)}.generated.ts`);
  if (/\.(lua|sql)$/.test(file)) {
    const lines = folders.get(module) ?? [];
    folders.set(module, lines);
    if (extname(file) === '.lua') lines.push(...constantsOf(readFileSync(file, 'utf8')));
    if (!isPart) lines.push(textOf(file));
  }
}
inlinePage(join(lib, 'inspector/page'));
for (const [module, lines] of folders) {
  const head = '// Made by scripts/inline.mjs from the files beside it.\n';
  write(module, head + lines.sort().join(''));
}

/** The files of a page with their digests, and the version of the package that it belongs to. */
function inlinePage(folder) {
  const names = readdirSync(folder).filter((name) => /\.(html|css|js)$/.test(name));
  const { version } = JSON.parse(readFileSync(resolve(lib, '../package.json'), 'utf8'));
  const files = names.sort().map((name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    const digest = createHash('sha1').update(text).digest('hex');
    return `  ${JSON.stringify(name)}: ${JSON.stringify({ text, digest })},\n`;
  });
  const type = 'Readonly<Record<string, { readonly text: string; readonly digest: string }>>';
  folders.set(`${folder}.generated.ts`, [
    `export const FILES: ${type} = {\n${files.join('')}};\n`,
    `export const VERSION: string = ${JSON.stringify(version)};\n`,
  ]);
}

/** The constants that Lua and TypeScript share. */
function constantsOf(text) {
  return [...text.matchAll(EXPORTED)].map(
    ([, name, value]) => `export const ${name} = ${value};\n`,
  );
}

function textOf(file) {
  const name = basename(file, extname(file)).replaceAll('-', '_').toUpperCase();
  if (extname(file) === '.sql') {
    return `export const ${name}: string = ${JSON.stringify(withParts(file))};\n`;
  }
  const text = slim(withParts(file, new Set()).replaceAll(/^[ \t]*(--.*)?\n/gm, ''));
  const sha = createHash('sha1').update(text).digest('hex');
  const type = '{ readonly text: string; readonly sha: string }';
  return `export const ${name}: ${type} = ${JSON.stringify({ text, sha })};\n`;
}

/**
 * Leaves out what each call of a script would cost Redis for nothing: constants, whose values stand
 * where they are used, and functions that the script does not call.
 */
function slim(text) {
  const constants = new Map();
  let slimmed = text
    .replaceAll(CONSTANT, (_, name, value) => (constants.set(name, value), ''))
    .replaceAll(WORD_OR_TEXT, (word) => constants.get(word) ?? word);
  for (let before = ''; before !== slimmed;) {
    before = slimmed;
    slimmed = before.replaceAll(FUNCTION, (code, name) => {
      const uses = before.match(WORD_OR_TEXT).filter((word) => word === name);
      return uses.length > 1 ? code : '';
    });
  }
  return slimmed;
}

/** The text of a file with those that it includes; those of Lua once, as they declare locals. */
function withParts(file, seen) {
  return readFileSync(file, 'utf8').replaceAll(INCLUDE, (_, name) => {
    const part = resolve(dirname(file), name);
    if (!existsSync(part)) {
      throw new Error(`${relative(lib, file)} includes ${name}, which does not exist.`);
    }
    if (seen?.has(part)) return '';
    seen?.add(part);
    return withParts(part, seen).replace(/\n$/, '');
  });
}

/** In one step, as other processes may do the same; and not at all where nothing has changed. */
function write(file, text) {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  const scratch = `${file}.${randomUUID()}.tmp`;
  writeFileSync(scratch, text);
  renameSync(scratch, file);
}
