/** An event as `listen` prints it. */
export interface ListenedEvent {
  /** When it came, in milliseconds since 1970. */
  readonly at: number;
  /** `message` where the server names none. */
  readonly type: string;
  readonly data: string;
  /** The id as it came; `undefined` where the event has none. */
  readonly id: string | undefined;
  /** The position in its channel, or the id. */
  readonly position: string | undefined;
  /** Its channel, where the stream has several and the id tells. */
  readonly channel: string | undefined;
  /** How old it was when it came, in milliseconds, where its position tells. */
  readonly delay: number | undefined;
}

/** Whether it is the application's, and none that the module itself has made. */
export function isCounted({ type }: ListenedEvent): boolean {
  return !type.startsWith('sse:');
}
