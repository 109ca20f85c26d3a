import { boundedText } from '../bounded-answer.js';
import { failureOf } from '../http-failure.js';
import type { EventLine } from './event-lines.js';
import type { PublishSettings } from './publish.options.js';

/** What has become of one event of a request. */
export type EventAnswer =
  | { readonly status: 'sent'; readonly id: string; readonly duplicate: boolean }
  | { readonly status: 'failed'; readonly error: Fault };

/** Why an event, or a request, was not taken. */
export interface Fault {
  /** The status; 0 where there was no answer. */
  readonly statusCode: number;
  readonly code?: string | undefined;
  readonly message: string;
}

/** What a request was answered: for each event, or for all together. */
export interface RequestAnswer {
  readonly results?: readonly EventAnswer[];
  readonly fault?: Fault;
  /** What `Retry-After` says, in milliseconds; it may be no number. */
  readonly after: number;
}

/** Sends events to the endpoint. It never rejects, but when the signal is aborted. */
export async function requestOf(
  { url, headers, timeout }: PublishSettings,
  lines: readonly EventLine[],
  signal: AbortSignal,
): Promise<RequestAnswer> {
  try {
    const limit = AbortSignal.timeout(timeout);
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify({ events: lines.map(({ event }) => event) }),
      // Most redirects make a GET of it.
      redirect: 'manual',
      signal: AbortSignal.any([signal, limit]),
    });
    const text = await boundedText(response);
    const body = objectOf(text);
    const after = Number(response.headers.get('retry-after') ?? 0) * 1_000;
    const { results } = body;
    const { status } = response;
    if (Array.isArray(results) && results.length === lines.length) {
      return { results: results.map(answerOf), after };
    }
    if (response.ok && isJson(response) && !isWhole(text)) {
      // Node takes a compressed body that is cut for a whole one.
      return { fault: { statusCode: 0, message: 'The answer has broken off.' }, after };
    }
    return { fault: faultOf({ statusCode: status, ...body }, status), after };
  } catch (error) {
    signal.throwIfAborted();
    const { name, message } = failureOf(error);
    const text =
      name === 'TimeoutError' ? `There was no answer within ${timeout} ms.` : `${name}: ${message}`;
    return { fault: { statusCode: 0, message: text }, after: 0 };
  }
}

function answerOf(result: unknown): EventAnswer {
  const { status, id, duplicate, error } = Object(result) as Record<string, unknown>;
  return status === 'sent' && typeof id === 'string'
    ? { status, id, duplicate: duplicate === true }
    : { status: 'failed', error: faultOf(error, 500) };
}

function faultOf(fault: unknown, status: number): Fault {
  const { statusCode, code, message } = Object(fault) as Record<string, unknown>;
  const text = Array.isArray(message) ? message.join(' ') : message;
  return {
    statusCode: typeof statusCode === 'number' ? statusCode : status,
    ...(typeof code === 'string' && { code }),
    message:
      typeof text === 'string' && text !== ''
        ? text
        : status >= 300 && status < 400
          ? `The answer is ${status}: give the address that it leads to.`
          : `The answer is ${status}. Is this the address of SsePublishModule?`,
  };
}

function isJson({ headers }: Response): boolean {
  return /^application\/json\s*(;|$)/i.test(headers.get('content-type') ?? '');
}

function isWhole(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The fields of a body in JSON; none for anything else. */
function objectOf(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}
