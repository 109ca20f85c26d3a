/** The URL of the Postgres that holds the users. */
export const DATABASE_URL = Symbol('DATABASE_URL');

/** Where the cache keys are, for writing to it as another program would. */
export const KEY_STORE = Symbol('KEY_STORE');

/** What the sample runs on, for the page. */
export const USES = Symbol('USES');

/** The part of Redis, and of the in-process store, that `PUT /cache/:key` needs. */
export interface KeyStore {
  set(key: string, value: string): unknown;
}

/** In words for people. */
export interface Uses {
  readonly cache: string;
  readonly postgres: string;
}
