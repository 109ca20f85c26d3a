import { createServer, request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** Who answers a request: the server at an address, or the balancer itself with a status. */
export type Choice = string | number;

/** An HTTP proxy in front of several servers. */
export interface Balancer {
  readonly url: string;
  /** Decides about each request by its path, with the query, from now on. */
  choose: (path: string) => Choice;
  /** How many requests for a path have been answered so far, by whomever. */
  count(path: string): number;
  /** Ends the requests that are open. */
  cut(): void;
  close(): Promise<void>;
}

/** Starts a balancer on a free loopback port. */
export async function startBalancer(choose: (path: string) => Choice): Promise<Balancer> {
  const counts = new Map<string, number>();
  const open = new Set<IncomingMessage>();
  const server = createServer((asked, answer) => {
    const path = asked.url ?? '/';
    counts.set(path, (counts.get(path) ?? 0) + 1);
    const choice = balancer.choose(path);
    if (typeof choice === 'number') {
      answer.writeHead(choice).end();
      return;
    }
    open.add(asked);
    answer.on('close', () => open.delete(asked));
    const { method, headers } = asked;
    const passed = request(new URL(path, choice), { method, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.headers);
      got.pipe(answer);
      got.on('error', () => answer.destroy());
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    asked.pipe(passed);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const balancer: Balancer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    choose,
    count: (path) => counts.get(path) ?? 0,
    cut: () => {
      for (const asked of open) asked.socket.destroy();
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, 'close');
    },
  };
  return balancer;
}
