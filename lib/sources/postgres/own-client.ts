import type { PgClient, PgModule } from './pg-types.js';
import type { PgConfig } from './postgres.options.js';
import { within } from './within.js';

/** How long a polite end may take before the socket is destroyed, in milliseconds. */
const END_TIMEOUT = 300;

/**
 * A client of our own for one connection, not connected yet.
 *
 * @param lost is called with the reason when the connection is over, possibly more than once
 */
export function createClient(
  pg: PgModule,
  config: PgConfig,
  lost: (reason: Error) => void,
): PgClient {
  const client = new pg.Client({
    fallback_application_name: 'nestjs-sse-channels',
    keepAlive: true,
    ...config,
    // The limits here are ours: these of pg leave a half-open client stuck.
    query_timeout: undefined,
    connectionTimeoutMillis: undefined,
  });
  // Before connect(): an error nobody listens to ends the process.
  client.on('error', lost);
  client.on('end', () => lost(new Error('the server closed the connection')));
  return client;
}

/** Says goodbye to the server; resolves in any case, within a fraction of a second. */
export async function endClient(client: PgClient): Promise<void> {
  await within(END_TIMEOUT, 'end', client.end()).catch(() => undefined);
  destroyClient(client);
}

/** Closes the socket. On a half-open connection end() never returns; this always works. */
export function destroyClient(client: PgClient): void {
  client.connection.stream.destroy();
}
