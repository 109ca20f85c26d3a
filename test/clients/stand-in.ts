import { createServer, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a proxy answers while the application behind it is away. */
export interface StandIn {
  readonly url: string;
  /** How many requests it has answered. */
  readonly answered: number;
  close(): Promise<void>;
}

/** Starts a server that gives every request the same answer, and closes its connection. */
export async function startStandIn(
  status: number,
  headers: OutgoingHttpHeaders = {},
): Promise<StandIn> {
  let answered = 0;
  const server = createServer((_, response) => {
    answered++;
    response.writeHead(status, { ...headers, connection: 'close' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get answered() {
      return answered;
    },
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

/** The remedy for clients that take an error status as final: a stream that is over at once. */
export const EMPTY_STREAM = [200, { 'content-type': 'text/event-stream' }] as const;
