import { tracingChannel } from 'node:diagnostics_channel';

/** The names of what this package tells by `node:diagnostics_channel`; docs/metrics.md has the messages. */
export const DIAGNOSTICS = {
  publish: 'nestjs-sse-channels:publish',
  delivery: 'nestjs-sse-channels:delivery',
  opened: 'nestjs-sse-channels:connection.opened',
  closed: 'nestjs-sse-channels:connection.closed',
  refused: 'nestjs-sse-channels:connection.refused',
} as const;

/** An event that reaches readers, as the message of a delivery names it. */
export interface DeliveredEvent {
  /** Its id on the wire, and its position in the channel: what `send()` returns is one of them. */
  readonly id: string;
  readonly position: string;
  readonly type: string | undefined;
}

/** The readers of a channel have been served with new events. */
export interface DeliveryMessage {
  readonly channel: string;
  readonly events: readonly DeliveredEvent[];
  readonly readers: number;
  /** From when the first was due until the last reader was served, in milliseconds. */
  readonly duration: number;
}

/** A client was not let in. */
export interface RefusedMessage {
  readonly reason: 'closing' | 'capacity' | 'client-limit' | 'channel-limit';
}

/** The message of a call that publishes, which Node completes by `result` or `error`. */
export interface PublishMessage {
  readonly operation: string;
  readonly target: string;
  readonly channel: string;
  /** The event's id, once it is published; unset for keys and notifications. */
  readonly result?: unknown;
  readonly error?: unknown;
}

const publishing = tracingChannel<object, PublishMessage>(DIAGNOSTICS.publish);
const { start, asyncEnd, error } = publishing;

/** Whether anybody follows calls that publish. */
export function arePublishesWatched(): boolean {
  return start.hasSubscribers || asyncEnd.hasSubscribers || error.hasSubscribers;
}

/** Makes a call that publishes, and tells of its beginning and its end. */
export function watchedPublish<R>(message: PublishMessage, call: () => Promise<R>): Promise<R> {
  return publishing.tracePromise(call, message);
}
