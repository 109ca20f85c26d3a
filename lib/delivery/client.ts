/** The most characters that the id of a client may have. */
export const MAX_CLIENT_LENGTH = 1_024;

/** Whether a value is a text that a client, a channel or a connection may have as its name. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_CLIENT_LENGTH;
}

/** Who is behind a connection, as the application tells it. */
export interface SseClient {
  /** What tells this client from others, such as a user's id: 1 to 1,024 characters. */
  readonly id: string;
  /** What others may know of the client: anything that takes at most 4,096 characters as JSON. */
  readonly info?: unknown;
}

/** A client whose answer was checked. */
export interface Client {
  readonly id: string;
  /** Its `info` as JSON, so that nobody changes it later. */
  readonly info: string | undefined;
}

/** Whom a connection counts for: a client, or an address where the application names no client. */
export type CountedAs = Client | string;

/** What a connection is counted under. */
export function countedKey(counted: CountedAs): string {
  return typeof counted === 'string' ? counted : counted.id;
}
