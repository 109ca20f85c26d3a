import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { createApp } from './app.js';
import { openDatabase, type Database } from './database.js';
import { StartError, maskUrl, readSettings } from './settings.js';

// Taken before anything is started. A second Ctrl-C changes nothing: stopping is under way.
let stopping = false;
const stopped = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stopping = true;
      resolve();
    });
  }
});

let database: Database | undefined;
let app: NestExpressApplication | undefined;
try {
  const settings = readSettings(process.env);
  if (settings.databaseUrl === undefined) console.log('Starting an embedded Postgres …');
  database = await openDatabase(settings.databaseUrl);
  if (!stopping) {
    app = await createApp({
      databaseUrl: database.url,
      databaseDescription: database.description,
      redisUrl: settings.redisUrl,
    });
    await listen(app, settings.port);
    const { port } = app.getHttpServer().address() as AddressInfo;
    console.log(`
  nestjs-sse-channels, the sample

  address   http://localhost:${port}
  cache     ${settings.redisUrl ? `Redis at ${maskUrl(settings.redisUrl)}` : 'in-process'}
  postgres  ${database.description}

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
  await app?.close();
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
