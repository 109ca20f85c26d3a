import type { PublishableChannel } from './publish-channels.js';

/** What a document can tell of a route that publishes. */
export interface PublishFacts {
  /** The channels that may be named; `undefined` for any. */
  readonly channels: readonly PublishableChannel[] | undefined;
  /** Whether the application decides about each event. */
  readonly authorizes: boolean;
  /** The most events of one request. */
  readonly mostEvents: number;
  /** Whether the events of a caller are counted. */
  readonly isLimited: boolean;
}

/** A controller with a route that publishes. */
export interface PublishingController {
  readonly publisher: { readonly facts: PublishFacts };
}

/** Metadata of handlers that publish. */
const PUBLISH_METADATA = 'sse:publish';

export function markPublishRoute(handler: object): void {
  Reflect.defineMetadata(PUBLISH_METADATA, true, handler);
}

/** The handler that publishes of a class, if it has one. */
export function publishHandlerOf(controller: { readonly prototype?: object }): object | undefined {
  const { publish } = (controller.prototype ?? {}) as { readonly publish?: unknown };
  return typeof publish === 'function' && Reflect.hasMetadata(PUBLISH_METADATA, publish)
    ? publish
    : undefined;
}
