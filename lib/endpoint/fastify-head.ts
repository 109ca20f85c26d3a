import type { OutgoingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Response } from '../delivery/response-writer.js';

/** The members of Fastify's reply that we use. */
export interface FastifyReply {
  readonly raw: Response;
  readonly request: object;
  readonly server: object;
  readonly sent: boolean;
  statusCode: number;
  getHeaders(): OutgoingHttpHeaders;
  headers(values: OutgoingHttpHeaders): unknown;
  removeHeader(name: string): unknown;
  hijack(): unknown;
  send(payload: unknown): unknown;
}

type Done = (error: Error | null, payload: unknown) => void;
type OnSend = (request: unknown, reply: FastifyReply, payload: unknown, done: Done) => void;

interface FastifyRoute {
  onSend?: OnSend | OnSend[];
}

/** The members of a Fastify instance that we use. */
interface FastifyInstance {
  addHook(name: 'onRoute', hook: (route: FastifyRoute) => void): unknown;
}

interface Wait {
  /** What the hooks receive. */
  readonly payload: Readable;
  /** Called with whether we have the reply. */
  resolve(isOurs: boolean): void;
}

/** Replies that we want to take. */
const waiting = new WeakMap<FastifyReply, Wait>();

/** Instances whose routes have our hook. */
const hooked = new WeakSet<object>();

/** Adds our hook, behind all others, to the routes that are added from now on. */
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
 * Takes a reply from Fastify once its `onSend` hooks have run, which write cookies and sessions: a
 * reply that is hijacked at once runs none. The hooks receive a stream without content.
 *
 * @returns whether we have the reply; when a hook fails, Fastify answers
 */
export function afterOnSend(reply: FastifyReply, head: OutgoingHttpHeaders): Promise<boolean> {
  return new Promise((resolve) => {
    const payload = new Readable({ read: () => undefined });
    waiting.set(reply, { payload, resolve });
    reply.headers(head);
    reply.send(payload);
  });
}

/** The last hook: after it, Fastify would write the payload. */
function takeHead(_request: unknown, reply: FastifyReply, payload: unknown, done: Done): void {
  const wait = waiting.get(reply);
  waiting.delete(reply);
  const isOurs = wait !== undefined && isStream(payload);
  if (isOurs) {
    if (payload === wait.payload) {
      wait.payload.destroy();
    } else {
      // A hook that compresses has put its stream around ours. We write past it, and let it end.
      reply.removeHeader('content-encoding');
      payload.resume?.();
      wait.payload.push(null);
    }
    reply.hijack();
  } else {
    done(null, payload);
  }
  wait?.resolve(isOurs);
}

/** Compressing plugins bring a class of streams of their own. */
function isStream(payload: unknown): payload is { pipe: unknown; resume?(): unknown } {
  return typeof (payload as { pipe?: unknown } | null | undefined)?.pipe === 'function';
}
