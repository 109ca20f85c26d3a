import 'reflect-metadata';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Controller, Module, Sse } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { SseChannel, SseModule, SseService } from '../../lib/index.js';
import type { Call, Poller, Reply } from './calls.js';
import { ourCarriers, resumableStreams, Sources } from './carriers.js';

/** What a process under measurement does for the one that measures. */
interface Instance {
  readonly port: number;
  send(channel: string, data: string): unknown;
  readKey(key: string, poller: Poller): void;
  polledKeys(): number;
  readonly sources?: Sources;
  stop(): Promise<void>;
}

const redis = process.env['REDIS_URL']!;
let instance: Instance | undefined;
let received: number[] = [];
const loop = monitorEventLoopDelay({ resolution: 1 });

@Controller()
class EventsController {
  @Sse('events/:channel')
  @SseChannel('{channel}')
  events(): void {
    // The channel is all there is to it.
  }
}

@Controller()
class RunsController {
  @Sse('runs/:n')
  @SseChannel('run-{n}', { run: true })
  runs(): void {
    // The channel is all there is to it.
  }
}

async function ours(): Promise<Instance> {
  @Module({
    imports: [SseModule.forRoot({ redis, broker: 'redis', heartbeat: 0, drainTimeout: 0 })],
    controllers: [EventsController, RunsController],
  })
  class AppModule {}

  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  const sse = app.get(SseService);
  return {
    port: portOf(app.getHttpServer() as HttpServer),
    send: (channel, data) => sse.send(channel, data),
    readKey: (key, poller) => void sse.streamKey(key, { interval: 1_000, poller }).subscribe(),
    polledKeys: () => sse.stats().polledKeys,
    sources: new Sources(ourCarriers(sse), now),
    stop: () => app.close(),
  };
}

async function socketIo(): Promise<Instance> {
  const http = createServer();
  const client = new Redis(redis);
  const io = new Server(http, { adapter: createAdapter(client), transports: ['websocket'] });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    port: portOf(http),
    send: (channel, data) => io.emit(channel, data),
    readKey: () => undefined,
    polledKeys: () => 0,
    stop: async () => {
      await io.close();
      client.disconnect();
    },
  };
}

/** The least that brings a message to a client: what is published is written. It keeps nothing. */
async function relay(): Promise<Instance> {
  const subscriber = new Redis(redis);
  const http = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n');
    subscriber.on('message', (_channel, text: string) => response.write(`data: ${text}\n\n`));
  });
  await subscriber.subscribe('relay');
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    port: portOf(http),
    send: () => undefined,
    readKey: () => undefined,
    polledKeys: () => 0,
    stop: async () => {
      subscriber.disconnect();
      http.closeAllConnections();
      http.close();
    },
  };
}

async function resumable(): Promise<Instance> {
  const { port, carriers, stop } = await resumableStreams(redis);
  return {
    port,
    send: () => undefined,
    readKey: () => undefined,
    polledKeys: () => 0,
    sources: new Sources(carriers, now),
    stop,
  };
}

const INSTANCES = { ours, 'socket.io': socketIo, relay, 'resumable-stream': resumable };

function portOf(server: HttpServer): number {
  return (server.address() as AddressInfo).port;
}

/** The monotonic clock in microseconds. All processes of one machine read the same one. */
function now(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

async function run(call: Call): Promise<unknown> {
  switch (call.do) {
    case 'start':
      instance = await INSTANCES[call.as]();
      return instance.port;
    case 'send':
      for (let turn = 0; turn < call.turns; turn++) {
        for (let n = 0; n < call.burst; n++) {
          const sent = instance!.send(call.channel, call.data);
          if (n === call.burst - 1) {
            await sent;
          }
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      return undefined;
    case 'listen': {
      const subscriber = new Redis(redis);
      subscriber.on('message', (_, text: string) => received.push(now() - Number(text)));
      return subscriber.subscribe(call.channel);
    }
    case 'received': {
      const taken = received;
      received = [];
      return taken;
    }
    case 'keys':
      for (let n = 0; n < call.count; n++) {
        instance!.readKey(`key:${n}`, call.poller);
      }
      return undefined;
    case 'polled':
      return instance!.polledKeys();
    case 'begin':
      return instance!.sources!.begin(call);
    case 'go':
      return instance!.sources!.go();
    case 'loop': {
      const p99 = loop.percentile(99) / 1e6;
      loop.reset();
      loop.enable();
      return p99;
    }
    case 'cpu': {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }
    case 'heap':
      globalThis.gc?.();
      return process.memoryUsage().heapUsed;
    case 'stop':
      await instance?.stop();
      return undefined;
  }
}

process.on('message', (call: Call & { id: number }) => {
  run(call).then(
    (value) => process.send!({ id: call.id, value } satisfies Reply),
    (error: unknown) => process.send!({ id: call.id, error: String(error) } satisfies Reply),
  );
});
process.on('disconnect', () => process.exit());
