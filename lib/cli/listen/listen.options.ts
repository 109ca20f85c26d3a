import { parseArgs } from 'node:util';
import { shown } from '../../channel/shown.js';
import {
  HEADER_USAGE,
  HTTP_OPTIONS,
  httpSettings,
  INSECURE_USAGE,
  secondsOf,
  wholeOf,
  type HttpSettings,
} from '../http-arguments.js';
import { UsageError } from '../usage-error.js';

export const LISTEN_USAGE = `Usage: nestjs-sse-channels listen <url> [options]

Prints the events of a stream as they come. When the connection is lost it returns, and goes on after the last event.

What to read:
  --channels <list>       names to ask an endpoint of requestedChannels() for, with commas between
  --last-event-id <id>    begin after this event
  --from <id>             the same; earliest: with the oldest event that the server keeps of each of --channels

The request:
${HEADER_USAGE}
  -d, --data <text>       a body; makes it a POST of application/json
  -X, --method <method>   Default: GET, or POST with --data
${INSECURE_USAGE}

When to end:
  --count <n>             after so many events; those of the module itself, sse:…, do not count
  --timeout <seconds>     after so long: with code 1 if --count is not reached
  --no-reconnect          when the connection ends
  --wait                  not when the server is not there yet, or has no room: try again
  --silence <seconds>     how long nothing may come before a connection is replaced; 0 for ever. Default: 45

What to print:
  --json                  an object of JSON per event and line on stdout, and nothing else
  --rate <seconds>        how many events came, every so many seconds, on stderr
  -q, --quiet             no lines about the connection on stderr

Exit codes: 0 after --count, at the end of the stream, or when nobody reads the output any more; 1 when the server refuses,
cannot be reached at first, or --timeout comes before --count; 2 for wrong arguments; 130 after Ctrl-C.
`;

/** What `listen` is to do. Durations in milliseconds. */
export interface ListenSettings extends Omit<HttpSettings, 'url'> {
  readonly url: string;
  readonly method: string;
  readonly body: string | undefined;
  readonly lastEventId: string | undefined;
  readonly count: number;
  readonly reconnect: boolean;
  readonly wait: boolean;
  readonly silence: number;
  readonly rate: number | undefined;
}

export const LISTEN_OPTIONS = {
  ...HTTP_OPTIONS,
  channels: { type: 'string' },
  'last-event-id': { type: 'string' },
  from: { type: 'string' },
  data: { type: 'string', short: 'd' },
  method: { type: 'string', short: 'X' },
  count: { type: 'string' },
  'no-reconnect': { type: 'boolean' },
  wait: { type: 'boolean' },
  silence: { type: 'string' },
  rate: { type: 'string' },
} as const;

/**
 * Reads the arguments of `listen`.
 * @returns `undefined` when help is wanted
 * @throws UsageError, and the errors of `parseArgs()`
 */
export function listenSettings(args: readonly string[]): ListenSettings | undefined {
  const parsed = parseArgs({
    args: [...args],
    options: LISTEN_OPTIONS,
    allowPositionals: true,
    tokens: true,
  });
  const { values } = parsed;
  if (values.help === true) {
    return undefined;
  }
  const { url, headers, ...shared } = httpSettings(parsed);
  const { from, channels, data } = values;
  if (from !== undefined && values['last-event-id'] !== undefined) {
    throw new UsageError('--from and --last-event-id say the same. Give one of them.');
  }
  const names = channels === undefined ? [] : channels.split(',').map((name) => name.trim());
  if (names.includes('')) {
    throw new UsageError(
      `--channels is ${shown(channels)}. Give names with commas between, as --channels news,room:1.`,
    );
  }
  const isEarliest = from === 'earliest';
  if (isEarliest && names.length === 0) {
    throw new UsageError('--from earliest goes with --channels. Else give the id of an event.');
  }
  const lastEventId = isEarliest ? undefined : (from ?? values['last-event-id']);
  // oxlint-disable-next-line no-control-regex
  if (lastEventId !== undefined && /[\x00-\x1f\x7f]/.test(lastEventId)) {
    throw new UsageError('The id to begin after has control characters, which no id has.');
  }
  return {
    ...shared,
    url: withChannels(url, names, isEarliest),
    method: values.method?.toUpperCase() ?? (data === undefined ? 'GET' : 'POST'),
    headers: data === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body: data,
    lastEventId,
    count: wholeOf('count', values.count) ?? Infinity,
    reconnect: values['no-reconnect'] !== true,
    wait: values.wait === true,
    silence: secondsOf('silence', values.silence, 0) ?? 45_000,
    rate: secondsOf('rate', values.rate),
  };
}

function withChannels(url: URL, names: readonly string[], isEarliest: boolean): string {
  if (names.length > 0) {
    url.searchParams.append('ids', 'channel');
  }
  for (const name of names) {
    url.searchParams.append('channel', name);
    if (isEarliest) {
      url.searchParams.append('earliest', name);
    }
  }
  return url.href;
}
