// A page with the client, a channel's definition and React: compiled, bundled, and run on Node, where it
// reads a room of the README's first example.
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fromTools, isOurs, refuse } from './bundles.mjs';
import { compile, COMPILERS, errorsOfOurs, SETTINGS } from './compile.mjs';
import { emptyFolder } from './folders.mjs';
import { withExample } from './request.mjs';
import { node, outcomeOf } from './run.mjs';

/** The line whose project has React. The other one shows that nothing else needs it. */
const LINE = 'nest-12';

const PAGE = `import { renderToString } from 'react-dom/server';
import { defineChannel, unchecked } from 'nestjs-sse-channels/channel';
import { SseClient, shareTabs } from 'nestjs-sse-channels/client';
import { SseClientProvider, useChannel } from 'nestjs-sse-channels/react';

const Room = defineChannel('room:{room}', { message: unchecked<{ text: string }>() });
const url: string = (globalThis as any).ROOM;
const client = new SseClient(url + '/events', { tabs: shareTabs({ onFallback: () => undefined }) });

function Messages() {
  const { events, status } = useChannel(Room, { room: 'lobby' });
  return <p>{status}{events.map(({ data }) => data.text.length)}</p>;
}
const html = renderToString(<SseClientProvider client={client}><Messages /></SseClientProvider>);
if (html !== '<p>connecting</p>') throw new Error(html);

client.subscribe(Room, { room: 'lobby' }, {
  onOpen: () => fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"text":"Hello"}',
  }),
  onEvent: ({ data: { text } }) => {
    if (text !== 'Hello') throw new Error(text);
    client.close();
    (globalThis as any).onRead();
  },
});
`;

/** Has the page end when it has read its room, as a MessageChannel of React would keep it; or fail. */
const RUN = `
  globalThis.ROOM = room;
  process.exitCode = 1;
  globalThis.onRead = () => process.exit(0);
  setTimeout(() => { throw new Error('It has not read its room within 30 s.'); }, 30_000).unref();
`;

/** Runs what the compiler makes of the page. */
export async function runPage(version, setting) {
  await run(join(await compilePage(version, setting), 'dist/page.js'));
}

/** @type {Record<string, (folder: string, outfile: string) => Promise<void>>} each makes one script of the page */
const BUNDLERS = {
  async esbuild(folder, outfile) {
    const { warnings } = await fromTools('esbuild').build({
      absWorkingDir: folder,
      entryPoints: ['dist/page.js'],
      outfile,
      bundle: true,
      platform: 'browser',
      format: 'esm',
      logLevel: 'silent',
    });
    refuse(warnings.filter(({ location }) => isOurs(location?.file)).map(({ text }) => text));
  },
  async webpack(folder, outfile) {
    const stats = await promisify(fromTools('webpack'))({
      context: folder,
      mode: 'production',
      target: 'web',
      entry: './dist/page.js',
      output: { path: folder, filename: outfile.slice(folder.length + 1) },
      performance: false,
    });
    if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }));
    const { warnings } = stats.toJson({ all: false, warnings: true });
    refuse(warnings.filter(({ moduleName }) => isOurs(moduleName)).map(({ message }) => message));
  },
  async vite(folder, outfile) {
    const { build } = await import(fromTools.resolve('vite'));
    const warnings = [];
    await build({
      root: folder,
      configFile: false,
      logLevel: 'silent',
      build: {
        emptyOutDir: false,
        outDir: folder,
        rollupOptions: {
          input: join(folder, 'dist/page.js'),
          output: { entryFileNames: outfile.slice(folder.length + 1) },
          // Vite's plugin for React passes over `'use client'` as well.
          onwarn: ({ code, message, id }) =>
            code !== 'MODULE_LEVEL_DIRECTIVE' && isOurs(id ?? message) && warnings.push(message),
        },
      },
    });
    refuse(warnings);
  },
};

/** Runs a bundle of the page, made for browsers. */
export async function runBundledPage(bundler) {
  // A folder of its own: the cases run side by side.
  const folder = await compilePage('5.9', 'bundler', bundler);
  const outfile = join(folder, `${bundler}-page.mjs`);
  await BUNDLERS[bundler](folder, outfile);
  await run(outfile);
}

async function run(page) {
  const { folder } = await compile(LINE, '6.0', 'ES modules');
  await withExample(join(folder, 'dist/main.js'), (room) =>
    node(
      folder,
      '--input-type=module',
      '-e',
      `const room = '${room}'; ${RUN} await import('${page}');`,
    ),
  );
}

async function compilePage(version, setting, use = 'tsc') {
  const { type, ...options } = SETTINGS[setting];
  const name = `page-${version}-${setting.replaceAll(/\W+/g, '-')}-${use}`;
  const folder = emptyFolder(LINE, name, type, {
    'page.tsx': PAGE,
    'tsconfig.json': {
      compilerOptions: {
        target: 'ES2022',
        lib: ['ES2022', 'DOM'],
        ...options,
        jsx: 'react-jsx',
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        types: [],
        rootDir: '.',
        outDir: 'dist',
      },
      files: ['page.tsx'],
    },
  });
  const args = [COMPILERS[version], '-p', '.', '--pretty', 'false'];
  errorsOfOurs(await outcomeOf(folder, process.execPath, ...args));
  return folder;
}
