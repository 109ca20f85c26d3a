import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow } from '../../channel/clock.js';
import type { SseLogger } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { quoteName } from '../postgres/identifier.js';
import { TURN_LOCK } from '../postgres/in-turn.js';
import { isLockRefusal } from '../postgres/lock-refusal.js';
import { codeOf } from '../postgres/postgres-error.js';
import type { Session } from '../postgres/session.js';
import { SCHEMA_VERSION, eventTableSql } from './event-table-sql.js';
import type { EventTableSettings } from './event-table.options.js';
import { lockHolders, transactionName } from './open-transactions.js';

/** How long the installation may wait for other instances and transactions, in milliseconds. */
const INSTALL_TIMEOUT_MS = 60_000;
/**
 * How long an attempt may wait for a lock on the table, in milliseconds: writers have to wait
 * behind it. The waker of the release before holds a lock for two seconds at a time.
 */
const LOCK_TIMEOUT_MS = 2_500;
/** Between two attempts, in milliseconds: writers go on meanwhile. */
const PAUSE_MS = 1_000;
/** Between two attempts while another instance installs the table, in milliseconds. */
const TURN_PAUSE_MS = 100;

/** The SQLSTATE with which we tell that another instance installs the table: `object_in_use`. */
const TURN = '55006';
/**
 * The SQLSTATEs of what exists already: a schema, a table, another object, its row in a catalogue.
 */
const DUPLICATE: ReadonlySet<unknown> = new Set(['42P06', '42P07', '42710', '23505']);

/**
 * Makes sure that the event table is there, in the version that this release needs. With
 * `install` it is created or upgraded, by one instance while the others wait.
 *
 * @throws SseError `UNAVAILABLE` when it is missing or too old, and when an open transaction does
 *   not let it be upgraded.
 */
export async function ensureInstalled(
  session: Session,
  { schema, install }: Pick<EventTableSettings, 'schema' | 'install'>,
  logger: SseLogger,
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
  const end = monotonicNow() + INSTALL_TIMEOUT_MS;
  let isLogged = false;
  let hasCollided = false;
  for (;;) {
    const outcome = await tryToInstall(session, schema).catch((error: unknown) => {
      // A session that has looked for the schema in vain may not see yet that another has made it.
      if (!hasCollided && DUPLICATE.has(codeOf(error))) {
        hasCollided = true;
        return 'turn of another instance' as const;
      }
      throw error;
    });
    if (outcome === 'installed') {
      return;
    }
    const isLocked = outcome === 'locked';
    const reason = `an upgrade waits for ${isLocked ? await blockers(session, schema) : 'another instance'}`;
    if (monotonicNow() >= end) {
      throw new SseError('UNAVAILABLE', `The table could not be installed: ${reason}.`);
    }
    if (isLocked && !isLogged) {
      isLogged = true;
      logger.warn(`Postgres event table: ${reason}. Writers do not wait behind it.`);
    }
    await sleep(isLocked ? PAUSE_MS : TURN_PAUSE_MS, undefined, session);
  }
}

/** The version of the table that is there; 0 for none. */
export async function installedVersion(session: Session, schema: string): Promise<number> {
  try {
    const [row] = await session.queryAgainAfterLocks<{ version: number | null }>({
      text: `select max(version) as version from ${quoteName(schema)}.meta`,
    });
    return row?.version ?? 0;
  } catch (error) {
    const code = codeOf(error);
    if (code === '42P01' || code === '3F000') {
      return 0;
    }
    throw error;
  }
}

async function tryToInstall(
  session: Session,
  schema: string,
): Promise<'installed' | 'locked' | 'turn of another instance'> {
  if ((await installedVersion(session, schema)) >= SCHEMA_VERSION) {
    return 'installed';
  }
  // Behind such a transaction an upgrade would wait in vain, and all writers behind the upgrade.
  if ((await lockHolders(session, schema)).some(({ age = 0 }) => age > LOCK_TIMEOUT_MS)) {
    return 'locked';
  }
  try {
    // The statements of one message commit together, or not at all. Instances take turns, so that
    // writers do not wait for one attempt after another.
    await session.query({
      text: `begin; set local lock_timeout = ${LOCK_TIMEOUT_MS};
        do $do$ begin
          if not pg_try_advisory_xact_lock(${TURN_LOCK}) then
            raise exception 'another instance installs the table' using errcode = '${TURN}';
          end if;
        end $do$;
        ${eventTableSql({ schema })} commit`,
      timeout: INSTALL_TIMEOUT_MS,
    });
    return 'installed';
  } catch (error) {
    if (!session.isClosed) {
      await session.query({ text: 'rollback' });
    }
    if (codeOf(error) === TURN) {
      return 'turn of another instance';
    }
    if (isLockRefusal(error)) {
      return 'locked';
    }
    throw error;
  }
}

async function blockers(session: Session, schema: string): Promise<string> {
  const found = await lockHolders(session, schema);
  return found.slice(0, 5).map(transactionName).join(', ') || 'a transaction that has ended since';
}
