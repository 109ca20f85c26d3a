import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Link,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import { channel, tracingChannel } from 'node:diagnostics_channel';
import { DIAGNOSTICS, type DeliveryMessage, type PublishMessage } from '../channel/diagnostics.js';
import { SseError } from '../channel/sse-error.js';
import { SCOPE } from './metric-export.js';

/** The most published events, and the most delivered ones, that wait for their other half. */
const MOST_WAITING = 10_000;
/** The most links of a span, as SDKs allow by default. */
const MOST_LINKS = 128;

/** The end of a delivery, for events whose publish has not returned yet. */
interface Delivered {
  readonly message: DeliveryMessage;
  readonly endTime: number;
}

/**
 * Makes a span for each call that publishes, a child of what is active there, and one for each delivery of
 * such events to the readers of a channel. That one begins a trace of its own and links to the publishes: a
 * delivery has many, and comes later.
 */
class PublishSpans {
  private readonly tracer: Tracer = trace.getTracer(SCOPE);
  private readonly spans = new WeakMap<object, Span>();
  private readonly published = new Map<string, SpanContext>();
  private readonly delivered = new Map<string, Delivered>();
  /** How many calls with a span that is recorded have not returned. */
  private open = 0;

  readonly start = (message: PublishMessage): void => {
    const span = this.tracer.startSpan(`sse ${message.operation}`, {
      kind: SpanKind.PRODUCER,
      attributes: {
        'messaging.system': 'sse',
        'messaging.operation.type': 'send',
        'messaging.operation.name': message.operation,
        'messaging.destination.name': message.channel,
        'sse.publish.target': message.target,
      },
    });
    // A sampler that takes few leaves nothing to keep of the others.
    if (span.isRecording()) {
      this.spans.set(message, span);
      this.open++;
    }
  };

  readonly failed = (message: PublishMessage): void => {
    const { error } = message;
    const span = this.take(message);
    span?.setAttribute('error.type', error instanceof SseError ? error.code : 'other');
    span?.setStatus({
      code: SpanStatusCode.ERROR,
      ...(error instanceof Error && { message: error.message }),
    });
    span?.end();
  };

  readonly returned = (message: PublishMessage): void => {
    const span = this.take(message);
    if (!span) {
      return;
    }
    const id = idOf(message.result);
    if (id !== undefined) {
      span.setAttribute('messaging.message.id', id);
      this.note(message.channel, id, span.spanContext());
    }
    span.end();
  };

  readonly served = (message: DeliveryMessage): void => {
    if (this.published.size === 0 && this.open === 0) {
      return;
    }
    const { channel: name, events } = message;
    const endTime = Date.now();
    let contexts: Set<SpanContext> | undefined;
    for (const { id, position } of events) {
      const known =
        this.known(name, id) ?? (id === position ? undefined : this.known(name, position));
      if (known) {
        contexts ??= new Set();
        contexts.add(known);
      } else if (this.open > 0) {
        // The broker's message came before its answer.
        hold(this.delivered, keyOf(name, id), { message, endTime });
        hold(this.delivered, keyOf(name, position), { message, endTime });
      }
    }
    if (contexts) {
      this.deliver(message, endTime, contexts);
    }
  };

  /** Notes what was published, or tells of its delivery, if that was faster. */
  private note(name: string, id: string, context: SpanContext): void {
    if ((context.traceFlags & TraceFlags.SAMPLED) === 0) {
      return;
    }
    const key = keyOf(name, id);
    const delivered = this.delivered.get(key);
    if (delivered) {
      this.delivered.delete(key);
      this.deliver(delivered.message, delivered.endTime, [context]);
    } else {
      hold(this.published, key, context);
    }
  }

  private known(name: string, id: string): SpanContext | undefined {
    return this.published.get(keyOf(name, id));
  }

  private deliver(
    { channel: name, events, readers, duration }: DeliveryMessage,
    endTime: number,
    contexts: Iterable<SpanContext>,
  ): void {
    const links: Link[] = [];
    for (const context of contexts) {
      if (links.length === MOST_LINKS) {
        break;
      }
      links.push({ context });
    }
    const options = {
      kind: SpanKind.CONSUMER,
      links,
      startTime: endTime - duration,
      attributes: {
        'messaging.system': 'sse',
        'messaging.operation.type': 'process',
        'messaging.operation.name': 'deliver',
        'messaging.destination.name': name,
        'messaging.batch.message_count': events.length,
        'sse.channel.readers': readers,
      },
    };
    this.tracer.startSpan('sse deliver', options, ROOT_CONTEXT).end(endTime);
  }

  private take(message: object): Span | undefined {
    const span = this.spans.get(message);
    if (span) {
      this.spans.delete(message);
      this.open--;
    }
    return span;
  }
}

function keyOf(name: string, id: string): string {
  return `${name}\n${id}`;
}

/** The event's id; none for keys and notifications. */
function idOf(result: unknown): string | undefined {
  const id = typeof result === 'object' && result !== null && 'id' in result ? result.id : result;
  return typeof id === 'string' ? id : undefined;
}

/** Adds to a map, which forgets the oldest of too many. */
function hold<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value);
  if (map.size > MOST_WAITING) {
    map.delete(map.keys().next().value!);
  }
}

/** Spans are of the process, whatever the number of its applications. */
let users = 0;
let stop: (() => void) | undefined;

/** Makes spans from now on. Returns a function that ends it, unless another application wants them. */
export function tracePublishes(): () => void {
  users++;
  stop ??= subscribe(new PublishSpans());
  let isOver = false;
  return () => {
    if (!isOver && --users === 0) {
      stop?.();
      stop = undefined;
    }
    isOver = true;
  };
}

function subscribe({ start, failed, returned, served }: PublishSpans): () => void {
  const publishing = tracingChannel<object, PublishMessage>(DIAGNOSTICS.publish);
  const delivery = channel(DIAGNOSTICS.delivery);
  const listeners = [
    [publishing.start, start],
    [publishing.error, failed],
    [publishing.asyncEnd, returned],
    [delivery, served],
  ] as readonly (readonly [typeof delivery, (message: unknown) => void])[];
  listeners.forEach(([to, listener]) => to.subscribe(listener));
  return () => listeners.forEach(([to, listener]) => to.unsubscribe(listener));
}
