import { SseError } from '../../channel/sse-error.js';
import type { PgModule } from './pg-types.js';

/**
 * Loads `pg` at first need, so that applications without Postgres do not install it.
 *
 * @throws SseError `MISSING_PEER` when it is not installed.
 */
export async function loadPg(): Promise<PgModule> {
  let loaded: PgModule & { readonly default?: PgModule };
  try {
    loaded = (await import('pg')) as unknown as typeof loaded;
  } catch (cause) {
    throw new SseError(
      'MISSING_PEER',
      'The option `postgres` needs the package "pg", which could not be loaded. Install it: npm install pg',
      { cause },
    );
  }
  // Releases before 8.15 are CommonJS only, and bundlers may leave nothing but the default export.
  return loaded.default ?? loaded;
}
