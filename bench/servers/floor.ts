import { channelOf, close, listen } from './http-server.js';
import type { Socket } from 'node:net';
import type { Peer } from './peer.js';

/**
 * The least that any HTTP/1.1 server on Node can do: the events of a turn are
 * framed once, with the chunk header, and written once to each client's socket.
 */
export const peer: Peer = {
  async start({ channels, heartbeat }) {
    const clients = new Map(channels.map((channel) => [channel, new Set<Socket>()]));
    let nextId = 1;
    const { server, port } = await listen((request, response) => {
      const set = clients.get(channelOf(request.url!))!;
      response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-cache',
      });
      response.flushHeaders();
      const socket = response.socket!;
      socket.setNoDelay(true);
      set.add(socket);
      response.on('close', () => set.delete(socket));
    });
    const write = (channel: string, text: string): void => {
      const length = Buffer.byteLength(text);
      const block = Buffer.from(`${length.toString(16)}\r\n${text}\r\n`);
      for (const socket of clients.get(channel)!) socket.write(block);
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
