// Bundles of all that the README's first example needs, made of what tsc has compiled: bundlers
// that compile TypeScript by themselves emit no types of constructor parameters.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compile } from './compile.mjs';
import { NAME, tools } from './folders.mjs';
import { runExample } from './request.mjs';

export const fromTools = createRequire(join(tools, 'package.json'));
/** Packages that Nest and we load only when they are used: a bundle leaves them out. */
const OPTIONAL = [
  '@nestjs/microservices',
  '@nestjs/websockets',
  'class-transformer',
  'class-validator',
  'ioredis',
  'pg',
];
/** A bundle of ES modules has CommonJS in it, which calls it. */
const REQUIRE =
  "import { createRequire as of } from 'node:module'; const require = of(import.meta.url);";

export async function runEsbuild(line, version, setting) {
  const { folder } = await compile(line, version, setting);
  const isModule = setting === 'ES modules';
  const outfile = join(folder, isModule ? 'esbuild.mjs' : 'esbuild.cjs');
  const { warnings } = await fromTools('esbuild').build({
    absWorkingDir: folder,
    entryPoints: ['dist/main.js'],
    outfile,
    bundle: true,
    platform: 'node',
    format: isModule ? 'esm' : 'cjs',
    keepNames: true,
    external: OPTIONAL.flatMap((name) => [name, `${name}/*`]),
    ...(isModule ? { banner: { js: REQUIRE } } : {}),
    logLevel: 'silent',
  });
  refuse(warnings.filter(({ location }) => isOurs(location?.file)).map(({ text }) => text));
  await runExample(outfile);
}

export async function runWebpack(line, version, setting) {
  const { folder } = await compile(line, version, setting);
  const stats = await promisify(fromTools('webpack'))({
    context: folder,
    mode: 'production',
    target: 'node20',
    entry: './dist/main.js',
    output: { path: folder, filename: 'webpack.cjs' },
    optimization: { minimize: false },
    externals: [
      ({ request }, done) =>
        OPTIONAL.some((name) => request === name || request.startsWith(`${name}/`))
          ? done(null, `commonjs ${request}`)
          : done(),
    ],
  });
  if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }));
  const { warnings } = stats.toJson({ all: false, warnings: true });
  refuse(warnings.filter(({ moduleName }) => isOurs(moduleName)).map(({ message }) => message));
  await runExample(join(folder, 'webpack.cjs'));
}

export function isOurs(file = '') {
  return file.includes(`node_modules/${NAME}/`);
}

export function refuse(warnings) {
  if (warnings.length > 0) throw new Error(`The bundler warns of us:\n${warnings.join('\n')}`);
}
