import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { testSource } from '../../lib/testing/index.js';
import { JetStreamSource } from './jetstream-source.js';
import { startNatsServer, type NatsServer } from './nats-server.js';

const STREAM = 'events';
const PREFIX = 'events';

let server: NatsServer;
let connection: NatsConnection;

beforeAll(async () => {
  server = await startNatsServer();
  connection = await connect({ servers: server.url });
  await create();
});

afterAll(async () => {
  await connection?.close();
  await server?.stop();
});

async function create(): Promise<void> {
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: STREAM, subjects: [`${PREFIX}.>`] });
}

describe('A NATS JetStream source keeps the contract: it', () => {
  const tests = testSource({
    source: () => new JetStreamSource({ servers: server.url, stream: STREAM, prefix: PREFIX }),
    write: async (channel, data) => {
      await jetstream(connection).publish(`${PREFIX}.${channel}`, data);
    },
    trim: async (channel) => {
      const manager = await jetstreamManager(connection);
      await manager.streams.purge(STREAM, { filter: `${PREFIX}.${channel}`, keep: 1 });
    },
    replace: async () => {
      const manager = await jetstreamManager(connection);
      await manager.streams.delete(STREAM);
      await create();
    },
    interrupt: async () => {
      await connection.close();
      await server.restart();
      connection = await connect({ servers: server.url });
    },
  });
  for (const { name, run } of tests) it(name, run);
});
