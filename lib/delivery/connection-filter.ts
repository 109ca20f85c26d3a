import type { CountedAs } from './client.js';

/** Which connections are meant. With several of these, all must hold. */
export interface ConnectionFilter {
  /** Those of the client with this id. */
  readonly client?: string | undefined;
  /** Those that read this channel, among others. */
  readonly channel?: string | undefined;
}

/** Whether a connection that counts for a client, and reads these channels, is one of those meant. */
export function isMeant(
  { client, channel }: ConnectionFilter,
  counted: CountedAs,
  channels: () => readonly string[],
): boolean {
  return (
    (client === undefined || (typeof counted !== 'string' && counted.id === client)) &&
    (channel === undefined || channels().includes(channel))
  );
}
