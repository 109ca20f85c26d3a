import { SseError } from '../../channel/sse-error.js';
import { quoteName } from '../postgres/identifier.js';
import { SCHEMA_VERSION, eventTableSql } from './event-table-sql.js';
import type { EventTableSettings } from './event-table.options.js';
import type { Session } from './session.js';

/** How long the installation may wait for other instances and for open writers, in milliseconds. */
const INSTALL_TIMEOUT = 60_000;

/**
 * Makes sure that the event table is there, in the version that this release needs. With
 * `install` it is created or upgraded, by one instance while the others wait.
 *
 * @throws SseError `UNAVAILABLE` when it is missing or too old.
 */
export async function ensureInstalled(
  session: Session,
  { schema, install }: Pick<EventTableSettings, 'schema' | 'install'>,
): Promise<void> {
  const version = await installedVersion(session, schema);
  if (version >= SCHEMA_VERSION) {
    return;
  }
  if (!install) {
    const remedy = `Run what "npx nestjs-sse-channels sql --event-table --schema ${schema}" prints, or set eventTable: { install: true }.`;
    throw new SseError(
      'UNAVAILABLE',
      version === 0
        ? `There is no event table in the schema "${schema}" at ${session.target}. ${remedy}`
        : `The event table in the schema "${schema}" has version ${version}; this release needs ${SCHEMA_VERSION}. ${remedy}`,
    );
  }
  // One message is one transaction, and several statements of it commit together, or not at all.
  await session.query({
    text: `begin; select pg_advisory_xact_lock(hashtextextended('nestjs-sse-channels install', 0)); ${eventTableSql({ schema })} commit`,
    timeout: INSTALL_TIMEOUT,
  });
}

/** The version of the table that is there; 0 for none. */
export async function installedVersion(session: Session, schema: string): Promise<number> {
  try {
    const [row] = await session.query<{ version: number | null }>({
      text: `select max(version) as version from ${quoteName(schema)}.meta`,
    });
    return row?.version ?? 0;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === '42P01' || code === '3F000') {
      return 0;
    }
    throw error;
  }
}
