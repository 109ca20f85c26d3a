import { UseInterceptors } from '@nestjs/common';
import { CUSTOM_ROUTE_ARGS_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { checkChannelName } from '../channel/channel-name.js';
import { checkTemplate, placeholdersOf } from '../channel/template.js';
import { shownOption } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import { pick, readOptions } from '../sources/options/option-table.js';
import {
  CHANNEL_OPTIONS,
  ENDPOINT_OPTIONS,
  type EndpointOptions,
} from '../setup/channel-options.js';
import type { ChannelDefinition } from '../typed/channel-definition.js';
import { isDefinition } from '../typed/define-channel.js';
import { HandlerResult } from './handler-result.js';
import { routeOf, setRoute, type ChannelResolver } from './route.js';
import { SseChannelInterceptor } from './sse-channel.interceptor.js';

// oxlint-disable-next-line typescript/no-explicit-any
type Handler = (this: unknown, ...args: any[]) => unknown;

/**
 * Streams channels from an `@Sse()` endpoint. A handler that returns nothing streams the
 * channels as they are; one that returns an Observable streams that Observable.
 *
 * @param channels
 * - a name, or a template such as `job:{id}`, whose placeholders are the route's parameters,
 *   percent-encoded (see `channelName`)
 * - or a definition (see `defineChannel`), whose template it is: events of other systems are checked by its schemas
 * - or a function of the request that returns one name or several, or a promise of them;
 *   its errors reach the exception filters. With an Observable the set changes while the stream is open.
 *   Its `this` is the controller
 * - or nothing, for a handler that returns a stream of its own
 * @param options the channels' source, and how they are read
 * @throws SseError `INVALID_OPTION`, `INVALID_CHANNEL`, when the class is defined
 *
 * @example
 * ```ts
 * @Sse('jobs/:id/events')
 * @SseChannel('job:{id}', { source: 'cache' })
 * job() {}
 * ```
 */
// oxlint-disable-next-line typescript/no-explicit-any
export function SseChannel<Request = any>(
  channels?: string | ChannelDefinition | ChannelResolver<Request>,
  options: EndpointOptions<Request> = {},
): MethodDecorator {
  const definition = isDefinition(channels) ? channels : undefined;
  const named = isDefinition(channels) ? channels.template : channels;
  return (target, key, descriptor) => {
    const where = `${target.constructor.name}.${String(key)}`;
    checkRoute(where, named, options);
    const original = descriptor.value as Handler;
    if (routeOf(original)) {
      throw new SseError(
        'INVALID_OPTION',
        `${where} has two @SseChannel(). Give one a function that returns all channels.`,
      );
    }
    const handler: Handler = function (...args) {
      const result = original.apply(this, args);
      const box = (value: unknown) => new HandlerResult(value, this);
      return isThenable(result) ? Promise.resolve(result).then(box) : box(result);
    };
    Object.defineProperty(handler, 'name', { value: original.name });
    // Decorators below this one have left their metadata on the original.
    for (const metadata of Reflect.getMetadataKeys(original)) {
      Reflect.defineMetadata(metadata, Reflect.getMetadata(metadata, original), handler);
    }
    // Parameter decorators run before those of the method.
    const params = (Reflect.getMetadata(ROUTE_ARGS_METADATA, target.constructor, key) ??
      {}) as object;
    const hasCustomParams = Object.keys(params).some((param) =>
      param.includes(CUSTOM_ROUTE_ARGS_METADATA),
    );
    const { expires, client, authorize, revalidate } = options;
    const functions = [expires, client, authorize, revalidate?.check];
    const hasFunctions = typeof named === 'function' || functions.some((each) => each);
    const facts = { hasCustomParams, hasFunctions };
    setRoute(handler, { where, channels: named, options, definition, ...facts });
    (descriptor as PropertyDescriptor).value = handler;
    UseInterceptors(SseChannelInterceptor)(target, key, descriptor);
    return descriptor;
  };
}

/** Whether Nest would await the value: a promise, or the lazy query of a query builder. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as PromiseLike<unknown> | null)?.then === 'function'
  );
}

function checkRoute(where: string, channels: unknown, options: EndpointOptions): void {
  if (
    channels !== undefined &&
    typeof channels !== 'function' &&
    (typeof channels !== 'string' || channels === '')
  ) {
    throw new SseError(
      'INVALID_OPTION',
      `@SseChannel() on ${where} is given ${channels === '' ? 'an empty name' : shownOption(channels)}. ` +
        'Give a name, a template, what defineChannel() returned, or a function of the request.',
    );
  }
  if (typeof channels === 'string') {
    checkTemplate(channels);
    if (placeholdersOf(channels).length === 0) {
      checkChannelName(channels);
    }
  }
  const of = `@SseChannel() on ${where}: `;
  readOptions(ENDPOINT_OPTIONS, options, '', of);
  const { authorize, presence, run } = ENDPOINT_OPTIONS;
  const ofChannels = { ...CHANNEL_OPTIONS, authorize, presence, run };
  const [name] = channels === undefined ? Object.keys(pick(ofChannels, options)) : [];
  if (name !== undefined) {
    throw new SseError(
      'INVALID_OPTION',
      `${of}\`${name}\` has no effect without a channel. Name a channel, or leave it out.`,
    );
  }
  if (options.run && options.snapshot) {
    throw new SseError(
      'INVALID_OPTION',
      `${of}\`snapshot\` has no effect with \`run\`: a client receives a run from its beginning. Leave one out.`,
    );
  }
}
