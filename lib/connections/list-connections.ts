import { isName } from '../delivery/client.js';
import { isMeant, type ConnectionFilter } from '../delivery/connection-filter.js';
import type { Connections } from '../delivery/connections.js';
import type { SseConnection } from '../delivery/sse-connection.js';
import { option, whole } from '../sources/options/option-kinds.js';
import { invalidOption, readOptions, type TableOf } from '../sources/options/option-table.js';

/** The options of `SseService.connections()`. */
export interface ConnectionsOptions extends ConnectionFilter {
  /** How many at most: 1 to 1,000. Default: 100. */
  readonly limit?: number | undefined;
  /** The id of the last connection of the page before. Default: from the oldest on. */
  readonly after?: string | undefined;
}

export const CONNECTION_FILTER = {
  client: option(isName, "a client's id of at most 1,024 characters", undefined),
  channel: option(isName, "a channel's name of at most 1,024 characters", undefined),
} satisfies TableOf<ConnectionFilter>;

export const CONNECTIONS_OPTIONS = {
  ...CONNECTION_FILTER,
  limit: whole(100, { unit: 'connections', to: 1_000 }),
  after: option(isName, 'the id of a connection', undefined),
} satisfies TableOf<ConnectionsOptions>;

/**
 * A page of the open connections, in the order in which they were opened.
 * @throws SseError `INVALID_OPTION`
 */
export function listConnections(
  connections: Connections,
  options: ConnectionsOptions,
): SseConnection[] {
  const of = 'connections(): ';
  const { limit, after, ...filter } = readOptions(CONNECTIONS_OPTIONS, options, '', of);
  const last = after === undefined ? 0 : connections.views.numberOf(after);
  if (last === undefined) {
    throw invalidOption('after', after, 'the id of a connection of this instance', of);
  }
  const page: SseConnection[] = [];
  for (const [connection, counted] of connections) {
    if (connection.number > last && isMeant(filter, counted, () => connection.channels)) {
      page.push(connections.views.of(connection, counted));
      if (page.length === limit) {
        break;
      }
    }
  }
  return page;
}
