import { createChannel, createSession } from 'better-sse';
import { channelOf, close, listen } from './http-server.js';
import type { Peer } from './peer.js';

/** better-sse on a plain HTTP server: a session per client, `broadcast` on a channel. */
export const peer: Peer = {
  async start({ channels, heartbeat }) {
    const byName = new Map(channels.map((name) => [name, createChannel()]));
    const { server, port } = await listen((request, response) => {
      void createSession(request, response, { keepAlive: heartbeat || null }).then((session) =>
        byName.get(channelOf(request.url!))!.register(session),
      );
    });
    return {
      port,
      path: (channel) => `/events/${channel}`,
      publish(name, events) {
        const channel = byName.get(name)!;
        for (const data of events) channel.broadcast(data);
      },
      stop: () => close(server),
    };
  },
};
