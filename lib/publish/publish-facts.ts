/** Metadata of handlers that publish. */
const PUBLISH_METADATA = 'sse:publish';

export function markPublishRoute(handler: object): void {
  Reflect.defineMetadata(PUBLISH_METADATA, true, handler);
}

/** Whether a handler is that of `SsePublishModule`. */
export function isPublishRoute(handler: object): boolean {
  return Reflect.hasMetadata(PUBLISH_METADATA, handler);
}
