import { isObservable, type Observable } from 'rxjs';
import { kindOf } from '../../channel/shown.js';
import { SseError } from '../../channel/sse-error.js';

/** A web stream, of Node, a browser or another runtime. */
export interface ReadableStreamLike {
  /** Whether somebody reads it. */
  readonly locked?: boolean;
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
    cancel(reason?: unknown): Promise<unknown>;
  };
}

/** The answer of `fetch()`, or a `Response` that another library has made. */
export interface ResponseLike {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStreamLike | null;
}

/** What gives the values of a run. */
export type RunValues =
  AsyncIterable<unknown> | ReadableStreamLike | Observable<unknown> | ResponseLike;

/**
 * What a run is of: its values, or a function that begins to make them. The signal is aborted when the
 * run ends before its source.
 */
export type RunSource =
  | RunValues
  | PromiseLike<RunValues>
  | ((signal: AbortSignal) => RunValues | PromiseLike<RunValues>);

/** A source that has been opened. */
export interface OpenSource {
  /** The values: each when it is asked for, or with an Observable whenever it likes. */
  readonly values: AsyncIterator<unknown> | Observable<unknown>;
  /** Whether bytes among them are frames of Server-Sent Events, whatever the format of the run. */
  readonly hasFrames: boolean;
}

/**
 * Opens a source of any kind.
 *
 * @throws SseError `INVALID_OPTION` for something else, and for a stream that somebody else reads; `UNAVAILABLE` for
 * a `Response` without success; and what the source throws
 */
export async function openSource(source: RunSource, signal: AbortSignal): Promise<OpenSource> {
  const given: unknown = await (typeof source === 'function' ? source(signal) : source);
  if (isResponse(given)) {
    return openResponse(given);
  }
  if (isObservable(given)) {
    return { values: given, hasFrames: false };
  }
  if (isReadableStream(given)) {
    return { values: readingOf(given), hasFrames: false };
  }
  if (isAsyncIterable(given)) {
    return { values: given[Symbol.asyncIterator](), hasFrames: false };
  }
  throw new SseError(
    'INVALID_OPTION',
    `The source of a run is ${kindOf(given)}. Give an async iterable, a ReadableStream, an Observable or ` +
      'a Response; or a function of an AbortSignal that returns one of them.',
  );
}

/** Ends a source that was opened when its run was over, so that it does not begin its work. */
export async function leaveValues(values: OpenSource['values']): Promise<void> {
  if (!isObservable(values)) {
    await values.return?.();
  }
}

function openResponse({ status, headers, body }: ResponseLike): OpenSource {
  const reading = body ? readingOf(body) : NOTHING;
  if (status < 200 || status > 299) {
    reading.return?.().catch(() => undefined);
    throw new SseError(
      'UNAVAILABLE',
      `The Response that was to become a run has the status ${status}. Check \`response.ok\`, and throw ` +
        'an error of your own before you return the Response.',
    );
  }
  return {
    values: reading,
    hasFrames: /^text\/event-stream\b/i.test(headers.get('content-type') ?? ''),
  };
}

const NOTHING: AsyncIterator<unknown> = {
  next: () => Promise.resolve({ done: true, value: undefined }),
};

/**
 * Reads a web stream. Unlike the stream's own iterator it can be ended while it waits for a value.
 * @throws SseError `INVALID_OPTION` for one that somebody reads or has read
 */
function readingOf(stream: ReadableStreamLike): AsyncIterator<unknown> {
  if (stream.locked) {
    throw new SseError(
      'INVALID_OPTION',
      'Somebody else reads the stream that was to become a run, or has read it. Give a copy: the second stream of ' +
        '`tee()`, or `response.clone()`, made before it is read.',
    );
  }
  const reader = stream.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

function isResponse(value: unknown): value is ResponseLike {
  const { status, headers } = Object(value) as Partial<ResponseLike>;
  return (
    typeof status === 'number' && typeof headers?.get === 'function' && 'body' in (value as object)
  );
}

function isReadableStream(value: unknown): value is ReadableStreamLike {
  return typeof (Object(value) as Partial<ReadableStreamLike>).getReader === 'function';
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof (Object(value) as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function'
  );
}
