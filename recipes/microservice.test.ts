import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { equal, rejects } from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { firstValueFrom } from 'rxjs';
import { freePort } from '../test/support/free-port.js';
import { startRedis, type RedisServer } from '../test/support/redis.js';
import { createHybrid, createMicroservice } from './microservice.js';
import { closeAll, closeLater, closing, listen } from './support/start.js';

async function clientOf(port: number) {
  const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { port } });
  closeLater(() => client.close());
  await client.connect();
  return (message: object) => firstValueFrom(client.send<string>('order.changed', message));
}

describe('a microservice', () => {
  let redis: RedisServer;
  before(async () => {
    redis = await startRedis();
    process.env['REDIS_URL'] = redis.url;
  });
  after(() => redis.stop());
  afterEach(closeAll);

  it('takes messages beside its streams, and answers with the id of the event', async () => {
    const port = await freePort();
    const { connect } = await listen(await createHybrid(port));
    const send = await clientOf(port);
    const client = await connect('/orders/7/events');
    const id = await send({ id: '7', status: 'paid' });
    const event = await client.next({ type: 'changed' });
    equal(event.data, '{"id":"7","status":"paid"}');
    equal(event.id, id);
  });

  it('reaches the streams of other instances when it has none itself', async () => {
    const port = await freePort();
    closing(await createMicroservice(port));
    const send = await clientOf(port);
    const { connect } = await listen(await createHybrid(await freePort()));
    const client = await connect('/orders/7/events');
    const id = await send({ id: '7', status: 'paid' });
    equal((await client.next()).id, id);
    await client.close();
    await send({ id: '7', status: 'sent' });
    const again = await client.reconnect();
    closeLater(() => again.close());
    equal((await again.next()).data, '{"id":"7","status":"sent"}');
  });

  it('answers with an error when the message names no order', async () => {
    const port = await freePort();
    closing(await createMicroservice(port));
    const send = await clientOf(port);
    await rejects(send({ status: 'paid' }), { status: 'error', message: 'Internal server error' });
  });
});
