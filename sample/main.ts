import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { createApp } from './app.js';
import { openDatabase, type Database } from './database.js';
import { StartError, maskUrl, readSettings } from './settings.js';
import type { Telemetry } from './telemetry.js';

// Taken before anything is started. The first Ctrl-C stops the sample; a second one does not
// wait for open requests, but still for Postgres, so that nothing of it stays behind.
let stopping = false;
let stop: () => void;
let hurry: () => void;
const stopped = new Promise<void>((resolve) => (stop = resolve));
const hurried = new Promise<void>((resolve) => (hurry = resolve));
const onStop = () => {
  if (stopping) hurry();
  stopping = true;
  stop();
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onStop);
if (process.env.npm_lifecycle_event) {
  // `kill` on npm ends npm and the shell it runs us in, and tells us nothing.
  const shell = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    onStop();
  }, 500);
}

let database: Database | undefined;
let app: NestExpressApplication | undefined;
let telemetry: Telemetry | undefined;
try {
  const settings = readSettings(process.env);
  if (settings.otlpEndpoint !== undefined) {
    // Nobody loads the SDK who does not export.
    const { startTelemetry } = await import('./telemetry.js');
    telemetry = startTelemetry(process.env);
  }
  if (settings.databaseUrl === undefined) console.log('Starting an embedded Postgres …');
  database = await openDatabase(settings.databaseUrl);
  if (!stopping) {
    app = await createApp({
      databaseUrl: database.url,
      databaseDescription: database.description,
      redisUrl: settings.redisUrl,
      publishToken: settings.publishToken,
      hasTelemetry: telemetry !== undefined,
    });
    await listen(app, settings.port);
    const { port } = app.getHttpServer().address() as AddressInfo;
    console.log(`
  nestjs-sse-channels, the sample

  address   http://localhost:${port}
  cache     ${settings.redisUrl ? `Redis at ${maskUrl(settings.redisUrl)}` : 'in-process'}
  postgres  ${database.description}${settings.otlpEndpoint ? `\n  exports   to ${maskUrl(settings.otlpEndpoint)}` : ''}

  Ctrl-C stops it.
`);
    await stopped;
  }
} catch (error) {
  // Ctrl-C during the start ends the server's set-up as well: that is no failure.
  if (!stopping) {
    console.error(error instanceof StartError ? error.message : error);
    process.exitCode = 1;
  }
}

try {
  await Promise.race([app?.close().then(() => telemetry?.end()), hurried]);
} finally {
  await database?.close();
}
process.exit();

async function listen(nest: NestExpressApplication, port: number): Promise<void> {
  try {
    await nest.listen(port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new StartError(
        `Port ${port} is in use. Stop the other program, or choose another port: PORT=${port + 1} npm start`,
      );
    }
    if (code === 'EACCES') {
      throw new StartError(
        `Port ${port} may not be used by this account. Choose one above 1023: PORT=3000 npm start`,
      );
    }
    throw error;
  }
}
