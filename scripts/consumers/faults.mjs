// What goes wrong when an application has packages that do not fit: its start says what, and why.
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { compileBySwc } from './builds.mjs';
import { AS_PROGRAM } from './example.mjs';
import { emptyFolder, NAME, NEST_10, projectOf, tools } from './folders.mjs';
import { runExample } from './request.mjs';
import { outcomeOf } from './run.mjs';

const IMPORT = `import '${NAME}';`;

/** npm refuses to install the package beside Nest 10; where it was forced to, the import says so. */
export async function refusesNest10(tarball) {
  const nest = Object.entries(NEST_10).map(([name, version]) => `${name}@${version}`);
  const project = emptyFolder('nest-10', 'npm', 'module', {});
  const { code, output } = await outcomeOf(
    project,
    'npm',
    'install',
    '--dry-run',
    tarball,
    ...nest,
  );
  if (code === 0 || !output.includes('ERESOLVE')) {
    throw new Error(`npm installs the package beside Nest 10:\n${output}`);
  }
  const folder = emptyFolder('nest-10', 'import', 'module', { 'main.js': IMPORT });
  await failsWith(folder, 'MISSING_PEER', 'needs Nest 11.2.8 or later');
}

/** Node finds out before any of our code runs, and names the package and who wants it. */
export async function namesMissing(peer) {
  const line = `without-${peer.replace(/\W+/g, '-')}`;
  const project = projectOf(line);
  rmSync(project, { recursive: true, force: true });
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, '@nestjs'), { recursive: true });
  const from = (name) => join(projectOf('nest-12'), 'node_modules', name);
  cpSync(from(NAME), join(modules, NAME), { recursive: true });
  for (const name of ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs']) {
    if (name !== peer) symlinkSync(from(name), join(modules, name));
  }
  const folder = emptyFolder(line, 'import', 'module', { 'main.js': IMPORT });
  await failsWith(folder, 'ERR_MODULE_NOT_FOUND', `'${peer}' imported from`, `/${NAME}/dist/`);
}

const FEATURES = {
  decorator: {
    feature: `
      @Controller()
      class FeatureController {
        @Sse('feature')
        @SseChannel('feature')
        feature() {}
      }
      @Module({ controllers: [FeatureController] })
      export class FeatureModule {}`,
    says: '@SseChannel() needs SseModule',
  },
  module: {
    feature: `
      @Module({ imports: [SseModule.forRoot({ isGlobal: false })] })
      export class FeatureModule {}`,
    says: `SseModule is imported from two copies of ${NAME}`,
  },
  service: {
    feature: `
      @Controller()
      class FeatureController {
        constructor(readonly sse: SseService) {}
      }
      @Module({ controllers: [FeatureController] })
      export class FeatureModule {}`,
    says: `The package ${NAME} is loaded 2 times`,
  },
};

/** A library that brings the package as a dependency of its own, beside the application's. */
export async function refusesTwoCopies(what) {
  const { feature, says } = FEATURES[what];
  const folder = emptyFolder('nest-12', `two-copies-${what}`, 'module', {
    'main.js': compileBySwc(`
      import { Module } from '@nestjs/common';
      import { NestFactory } from '@nestjs/core';
      import { SseModule } from '${NAME}';
      import { FeatureModule } from './library/feature.js';
      @Module({ imports: [SseModule.forRoot(), FeatureModule] })
      class AppModule {}
      await NestFactory.create(AppModule).then((app) => app.init());`),
    'library/feature.js': compileBySwc(`
      import { Controller, Module, Sse } from '@nestjs/common';
      import { SseChannel, SseModule, SseService } from '${NAME}';${feature}`),
  });
  copyModule(projectOf('nest-12'), NAME, join(folder, 'library'), NAME);
  await failsWith(folder, says, 'npm ls nestjs-sse-channels');
}

/** Two copies of reflect-metadata know what the other holds, so nothing goes wrong. */
export async function runsWithTwoReflectMetadata() {
  const folder = emptyFolder('nest-12', 'two-reflect-metadata', 'module', {
    'main.js': compileBySwc(AS_PROGRAM),
  });
  copyModule(tools, 'reflect-metadata-0.1', folder, 'reflect-metadata');
  await runExample(join(folder, 'main.js'));
}

function copyModule(from, name, to, as) {
  const source = join(from, 'node_modules', name);
  cpSync(source, join(to, 'node_modules', as), { recursive: true });
}

async function failsWith(folder, ...texts) {
  const { code, output } = await outcomeOf(folder, process.execPath, 'main.js');
  const missing = texts.find((text) => !output.includes(text));
  if (code === 0) throw new Error(`It starts as if nothing were wrong:\n${output}`);
  if (missing) throw new Error(`It does not say "${missing}":\n${output}`);
}
