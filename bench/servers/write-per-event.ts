import { channelOf, close, listen } from './http-server.js';
import type { ServerResponse } from 'node:http';
import type { Peer } from './peer.js';

/** The usual hand-written server: one `response.write` for every client and event. */
export const peer: Peer = {
  async start({ channels, heartbeat }) {
    const clients = new Map(channels.map((channel) => [channel, new Set<ServerResponse>()]));
    let nextId = 1;
    const { server, port } = await listen((request, response) => {
      const set = clients.get(channelOf(request.url!))!;
      response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-cache',
      });
      response.flushHeaders();
      response.socket!.setNoDelay(true);
      set.add(response);
      response.on('close', () => set.delete(response));
    });
    const write = (channel: string, text: string): void => {
      for (const response of clients.get(channel)!) response.write(text);
    };
    const timer =
      heartbeat > 0 &&
      setInterval(() => channels.forEach((channel) => write(channel, ':\n\n')), heartbeat);
    return {
      port,
      path: (channel) => `/events/${channel}`,
      publish(channel, events) {
        for (const data of events) write(channel, `id: ${nextId++}\ndata: ${data}\n\n`);
      },
      stop() {
        if (timer) clearInterval(timer);
        return close(server);
      },
    };
  },
};
