import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy in front of a server, for outages and half-open connections. */
export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** How many connections are open through the proxy. */
  readonly connections: number;
  /** How many connections have been made through the proxy so far. */
  readonly accepted: number;
  /** The given URL with the proxy's host and port in it. */
  url(of: string): string;
  /** Stops passing bytes on in both directions; connections stay open, new ones hang. */
  freeze(): void;
  /** Passes on what was held back by `freeze`, and everything after. */
  thaw(): void;
  /** Resets every open connection on both sides; new ones are still accepted. */
  cut(): void;
  /** Resets every new connection at once; open ones stay. */
  refuse(): void;
  /** Takes new connections again after `refuse`. */
  accept(): void;
  /**
   * Cuts each new connection once, at a byte of its own. `place` is called for each connection and
   * returns a function that is given each chunk on its way to the client: how many of its bytes
   * still pass, or -1 for all of them and no cut. `undefined` ends it; open connections go on.
   */
  cutAt(place: (() => PlaceOfCut) | undefined): void;
  /**
   * Keeps what clients send on the connections that are open now, as a network does that is slow
   * to deliver: a client that gives up such a connection does not take back what it has sent.
   */
  hold(): void;
  /** Hands the server what was kept. Resolves once the server has worked on it. */
  deliver(): Promise<void>;
  /** Leads new connections to another server; open ones stay. */
  redirect(target: string): void;
  /** Resets everything and stops listening. */
  close(): Promise<void>;
}

/** Where in a chunk a connection is cut: see {@link TcpProxy.cutAt}. */
export type PlaceOfCut = (chunk: Buffer) => number;

/** Starts a proxy on a free loopback port, in front of the server that the URL names. */
export async function startProxy(
  target: string | { host?: string; port: number },
): Promise<TcpProxy> {
  let to = typeof target === 'string' ? endpointOf(target) : { host: '127.0.0.1', ...target };
  const pairs = new Set<readonly [Socket, Socket]>();
  const held = new Map<Socket, Buffer[]>();
  let frozen = false;
  let refusing = false;
  let accepted = 0;
  let newPlace: (() => PlaceOfCut) | undefined;

  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (inner) => {
    inner.on('error', () => undefined);
    if (refusing) {
      inner.resetAndDestroy();
      return;
    }
    accepted++;
    const outer = connect({ ...to, allowHalfOpen: true });
    const pair = [inner, outer] as const;
    pairs.add(pair);
    const place = newPlace?.();
    for (const [from, into] of [pair, [outer, inner]] as const) {
      from.setNoDelay(true);
      from.on('error', () => undefined);
      from.on('data', (chunk: Buffer) => {
        const cutHere = from === outer && place ? place(chunk) : -1;
        if (cutHere >= 0) {
          // An end, no reset: the client is to receive every byte before the cut.
          outer.removeAllListeners('data');
          inner.end(chunk.subarray(0, cutHere), () => outer.destroy());
          return;
        }
        const kept = held.get(into);
        if (kept) kept.push(chunk);
        else if (!into.write(chunk)) from.pause();
      });
      into.on('drain', () => {
        if (!frozen) from.resume();
      });
      from.on('end', () => held.has(into) || into.end());
      from.on('close', () => {
        pairs.delete(pair);
        if (!held.has(into)) into.destroy();
      });
    }
    if (frozen) outer.pause();
    else inner.resume();
  });
  const cut = () => {
    for (const sockets of pairs) for (const socket of sockets) reset(socket);
    for (const outer of held.keys()) reset(outer);
    pairs.clear();
    held.clear();
  };
  const pass = (on: boolean) => {
    frozen = !on;
    for (const socket of [...pairs].flat()) {
      if (on) socket.resume();
      else socket.pause();
    }
  };

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;

  return {
    host: '127.0.0.1',
    port,
    get connections() {
      return pairs.size;
    },
    get accepted() {
      return accepted;
    },
    url(of) {
      const url = new URL(of);
      url.hostname = '127.0.0.1';
      url.port = String(port);
      return url.href;
    },
    freeze: () => pass(false),
    thaw: () => pass(true),
    cut,
    refuse: () => void (refusing = true),
    accept: () => void (refusing = false),
    cutAt: (place) => void (newPlace = place),
    hold() {
      for (const [, outer] of pairs) held.set(outer, []);
    },
    async deliver() {
      const delivered = [...held].map(async ([outer, chunks]) => {
        outer.resume();
        // The server answers the end once it has worked on all that came before.
        const ended = new Promise((resolve) => outer.once('close', resolve));
        outer.end(Buffer.concat(chunks));
        await ended;
      });
      held.clear();
      await Promise.all(delivered);
    },
    redirect: (address) => void (to = endpointOf(address)),
    async close() {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Node 20 loses a socket that is reset while its end is on the way, and then never exits. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

const DEFAULT_PORTS: Record<string, number> = {
  'postgres:': 5432,
  'postgresql:': 5432,
  'redis:': 6379,
};

function endpointOf(address: string): { host: string; port: number } {
  const url = new URL(address);
  return { host: url.hostname, port: Number(url.port || (DEFAULT_PORTS[url.protocol] ?? 80)) };
}
