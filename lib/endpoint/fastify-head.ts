import type { OutgoingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Response } from '../delivery/response-writer.js';

/** What we need of a reply of Fastify. */
export interface FastifyReply {
  readonly raw: Response;
  readonly server: object;
  readonly sent: boolean;
  statusCode: number;
  getHeaders(): OutgoingHttpHeaders;
  headers(values: OutgoingHttpHeaders): unknown;
  hijack(): unknown;
  send(payload: unknown): unknown;
}

type Done = (error: Error | null, payload: unknown) => void;
type OnSend = (request: unknown, reply: FastifyReply, payload: unknown, done: Done) => void;

interface FastifyRoute {
  onSend?: OnSend | OnSend[];
}

/** What we need of an instance of Fastify. */
interface FastifyInstance {
  addHook(name: 'onRoute', hook: (route: FastifyRoute) => void): unknown;
}

/** Replies whose head is to be ours, each with what tells whether it is. */
const waiting = new WeakMap<FastifyReply, (isOurs: boolean) => void>();

/** Instances whose routes have our hook. */
const hooked = new WeakSet<object>();

/** Has our hook run behind all others, in the routes that are added from now on. */
export function hookInto(instance: FastifyInstance): void {
  if (!hooked.has(instance)) {
    hooked.add(instance);
    instance.addHook('onRoute', (route) => {
      route.onSend = [...(route.onSend ? [route.onSend].flat() : []), takeHead];
    });
  }
}

/** Whether `afterOnSend` can be used. */
export function isHooked(reply: FastifyReply): boolean {
  return hooked.has(reply.server);
}

/**
 * Makes a reply ours once its `onSend` hooks have run: cookies and sessions are written there,
 * and a reply that is taken from Fastify runs none. The hooks get a stream without content.
 *
 * @returns whether the reply is ours; a hook that fails has Fastify answer it
 */
export function afterOnSend(reply: FastifyReply, head: OutgoingHttpHeaders): Promise<boolean> {
  return new Promise((resolve) => {
    waiting.set(reply, resolve);
    reply.headers(head);
    reply.send(new Readable({ read: () => undefined }));
  });
}

/** The last hook: behind it, Fastify would write what it was given. */
function takeHead(_request: unknown, reply: FastifyReply, payload: unknown, done: Done): void {
  const resolve = waiting.get(reply);
  const isOurs = resolve !== undefined && payload instanceof Readable;
  waiting.delete(reply);
  if (isOurs) {
    payload.destroy();
    reply.hijack();
  } else {
    done(null, payload);
  }
  resolve?.(isOurs);
}
