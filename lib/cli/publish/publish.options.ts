import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import {
  HEADER_USAGE,
  HTTP_OPTIONS,
  httpSettings,
  INSECURE_USAGE,
  wholeOf,
  type HttpSettings,
} from '../http-arguments.js';
import { UsageError } from '../usage-error.js';
import type { LineFormat } from './event-lines.js';

export const PUBLISH_USAGE = `Usage: nestjs-sse-channels publish <url> --channel <channel> --data <text> [options]
       nestjs-sse-channels publish <url> [options] < events

Publishes to an endpoint of SsePublishModule: one event, or those of stdin, one a line.

One event:
  --channel <channel>     its channel
  -d, --data <text>       its data: an object or an array in JSON as such, anything else as text
  --id <id>               an id of your own

Those of stdin, where each line is {"channel": …, "data": …}, also with type, id, retry and idempotencyKey:
  --channel <channel>     the channel of lines without one
  --lines                 each line is the data of an event of --channel
  --batch <n>             how many events a request has at most. Default: 100

Of either:
  --type <type>           the type of events without one
  --text                  --data and --lines are text, whatever they look like

The request:
${HEADER_USAGE}
${INSECURE_USAGE}
  --timeout <seconds>     how long an answer may take. Default: 30
  --retries <n>           how often to send again what the server did not take or answer. Default: 5
  --key <key>             with what idempotency keys begin, so that the same input, published again, is there once.
                          Default: a random one
  --no-key                for brokers without idempotency keys: what may have arrived is not sent again

What to print:
  --json                  what has become of each event on stdout, an object of JSON a line; else the ids of those published
  -q, --quiet             no summary on stderr

Exit codes: 0 when every event is published; 1 when one is not; 2 for wrong arguments; 130 after Ctrl-C.
`;

/** What `publish` is to do. Durations in milliseconds. */
export interface PublishSettings extends Omit<HttpSettings, 'url'> {
  readonly url: string;
  /** The one event's data; `undefined` for the lines of stdin. */
  readonly data: string | undefined;
  readonly format: LineFormat;
  readonly id: string | undefined;
  /** With what keys begin; `undefined` for none. */
  readonly key: string | undefined;
  readonly batch: number;
  readonly timeout: number;
  readonly retries: number;
}

export const PUBLISH_OPTIONS = {
  ...HTTP_OPTIONS,
  channel: { type: 'string' },
  data: { type: 'string', short: 'd' },
  id: { type: 'string' },
  lines: { type: 'boolean' },
  batch: { type: 'string' },
  type: { type: 'string' },
  text: { type: 'boolean' },
  retries: { type: 'string' },
  key: { type: 'string' },
  'no-key': { type: 'boolean' },
} as const;

/** The server takes keys of 256 bytes, and the number of the line comes behind this one. */
const MOST_KEY_BYTES = 240;

/**
 * Reads the arguments of `publish`.
 * @returns `undefined` when help is wanted
 * @throws UsageError, and the errors of `parseArgs()`
 */
export function publishSettings(args: readonly string[]): PublishSettings | undefined {
  const parsed = parseArgs({
    args: [...args],
    options: PUBLISH_OPTIONS,
    allowPositionals: true,
    tokens: true,
  });
  const { values } = parsed;
  if (values.help === true) {
    return undefined;
  }
  const { url, headers, ...shared } = httpSettings(parsed);
  const { channel, data, type, id, lines, key } = values;
  if (channel === undefined && (data !== undefined || lines === true)) {
    throw new UsageError('--channel is missing. Give the channel, as --channel news.');
  }
  refuseBeside(data !== undefined, '--data', { '--lines': lines, '--batch': values.batch });
  refuseBeside(data === undefined, 'events from stdin, which have their own', { '--id': id });
  refuseBeside(values['no-key'] === true, '--no-key', { '--key': key });
  if (values.text === true && data === undefined && lines !== true) {
    throw new UsageError('--text goes with --data or --lines. Else each line is an event in JSON.');
  }
  if (key === '' || Buffer.byteLength(key ?? '') > MOST_KEY_BYTES) {
    throw new UsageError(`--key is empty or too long. Give 1 to ${MOST_KEY_BYTES} bytes.`);
  }
  return {
    ...shared,
    url: url.href,
    headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
    data,
    format: {
      channel,
      type,
      isData: lines === true,
      isText: values.text === true,
    },
    id,
    key: values['no-key'] === true ? undefined : (key ?? randomUUID()),
    batch: wholeOf('batch', values.batch, 1, 10_000) ?? 100,
    timeout: shared.timeout ?? 30_000,
    retries: wholeOf('retries', values.retries, 0) ?? 5,
  };
}

/** @throws UsageError */
function refuseBeside(isGiven: boolean, what: string, others: Record<string, unknown>): void {
  const stray = Object.keys(others).find((name) => others[name] !== undefined);
  if (isGiven && stray !== undefined) {
    throw new UsageError(`${stray} does not go with ${what}: leave it out.`);
  }
}
