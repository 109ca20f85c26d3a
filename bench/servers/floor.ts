import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { channelOf, close, listen, listenOn } from './http-server.js';
import type { RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import type { Peer, Protocol } from './peer.js';
import { TLS } from './tls.js';

const HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };

type Clients = Map<string, Set<Socket | ServerHttp2Stream>>;

/**
 * The least that any HTTP server on Node can do: the events of a turn are framed once, for HTTP/1.1 with the chunk
 * header, and written once to each client's socket, or to its stream of HTTP/2.
 */
export const peer: Peer = {
  async start({ channels, heartbeat, protocol }) {
    const clients: Clients = new Map(channels.map((channel) => [channel, new Set()]));
    let nextId = 1;
    const { server, port } =
      protocol === 'http2'
        ? await listenForHttp2(clients)
        : await listenForHttp1(clients, protocol);
    const write = (channel: string, text: string): void => {
      const length = Buffer.byteLength(text);
      const block = Buffer.from(
        protocol === 'http2' ? text : `${length.toString(16)}\r\n${text}\r\n`,
      );
      for (const client of clients.get(channel)!) client.write(block);
    };
    const timer =
      heartbeat > 0 &&
      setInterval(() => channels.forEach((channel) => write(channel, ':\n\n')), heartbeat);
    return {
      port,
      path: (channel) => `/events/${channel}`,
      publish(channel, events) {
        let text = '';
        for (const data of events) text += `id: ${nextId++}\ndata: ${data}\n\n`;
        write(channel, text);
      },
      stop() {
        if (timer) clearInterval(timer);
        return close(server);
      },
    };
  },
};

function listenForHttp1(clients: Clients, protocol: Protocol) {
  const listener: RequestListener = (request, response) => {
    const set = clients.get(channelOf(request.url!))!;
    response.writeHead(200, HEAD);
    response.flushHeaders();
    const socket = response.socket!;
    socket.setNoDelay(true);
    set.add(socket);
    response.on('close', () => set.delete(socket));
  };
  return listen(listener, protocol === 'https' ? TLS : undefined);
}

function listenForHttp2(clients: Clients) {
  const server = createSecureServer(TLS);
  server.on('stream', (stream, headers) => {
    const set = clients.get(channelOf(headers[':path']!))!;
    stream.respond({ ':status': 200, ...HEAD });
    set.add(stream);
    stream.on('error', () => undefined);
    stream.on('close', () => set.delete(stream));
  });
  return listenOn(server);
}
