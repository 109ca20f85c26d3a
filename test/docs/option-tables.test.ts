import { describe, expect, it } from '@jest/globals';
import { LISTEN_USAGE } from '../../lib/cli/listen/listen.options.js';
import { PUBLISH_USAGE } from '../../lib/cli/publish/publish.options.js';
import { SQL_USAGE } from '../../lib/cli/sql-command.js';
import { PRESENCE_LIST_OPTIONS } from '../../lib/presence/presence.options.js';
import { DISCONNECT_OPTIONS } from '../../lib/connections/disconnect.options.js';
import { CONNECTIONS_OPTIONS } from '../../lib/connections/list-connections.js';
import * as api from '../../lib/index.js';
import { ENDPOINT_OPTIONS, SEND_OPTIONS, STREAM_OPTIONS } from '../../lib/setup/channel-options.js';
import { REQUESTED_CHANNELS_OPTIONS } from '../../lib/setup/requested-channels-options.js';
import { INSPECTOR_OPTIONS, INSPECTOR_ROUTE } from '../../lib/inspector/inspector.options.js';
import { PUBLISH_OPTIONS, PUBLISH_ROUTE } from '../../lib/publish/publish.options.js';
import { RUN_OPTIONS, STOP_OPTIONS } from '../../lib/setup/run-options.js';
import { MODULE_OPTIONS } from '../../lib/setup/settings.js';
import type { AnyTable } from '../../lib/sources/options/option-table.js';
import { POLL_OPTIONS } from '../../lib/sources/poll/poll.options.js';
import { LIVE_OPTIONS, READY_OPTIONS } from '../../lib/terminus/health.options.js';
import { OPENTELEMETRY_OPTIONS } from '../../lib/opentelemetry/sse-opentelemetry.module.js';
import { TICKET_OPTIONS } from '../../lib/tickets/sse-tickets.js';
import { EXTRAS } from '../../lib/sse.module-definition.js';
import { optionsUnder, read, tableUnder } from './markdown.js';

const DOCUMENT = 'docs/options.md';

const table = (heading: string) => optionsUnder(DOCUMENT, heading);

const names = (heading: string) => [...table(heading).keys()].sort();

/** How a default is written in the tables. */
function shown(value: unknown): string {
  if (value === Infinity) return 'no limit';
  if (typeof value === 'number') return value.toLocaleString('en-US');
  if (typeof value === 'string') return `\`'${value}'\``;
  return `\`${String(value)}\``;
}

type Entry = AnyTable[string] & { readonly table?: AnyTable };

/** `{ a: { b: … } }` as `a.b`. */
function flat(options: AnyTable, prefix = ''): [string, Entry][] {
  return Object.entries(options).flatMap(([name, entry]: [string, Entry]): [string, Entry][] =>
    entry.table ? flat(entry.table, `${prefix}${name}.`) : [[prefix + name, entry]],
  );
}

const groups = Object.entries<Entry>(MODULE_OPTIONS).flatMap(([name, entry]) =>
  entry.table ? [[name, entry.table] as [string, AnyTable]] : [],
);

/** Defaults that a table tells in words, as another option or the module has them. */
const IN_WORDS = new Set(['Endpoint doneSignal', 'poll doneSignal']);

describe('The tables of options', () => {
  const { lastEventId } = STREAM_OPTIONS;
  it.each<[string, AnyTable]>([
    ['Module', { ...MODULE_OPTIONS, ...EXTRAS }],
    ...groups,
    ['Endpoint', ENDPOINT_OPTIONS],
    ['requestedChannels', REQUESTED_CHANNELS_OPTIONS],
    ['send', SEND_OPTIONS],
    ['stream', { lastEventId }],
    ['poll', POLL_OPTIONS],
    ['connections', CONNECTIONS_OPTIONS],
    ['disconnect', DISCONNECT_OPTIONS],
    ['presence', PRESENCE_LIST_OPTIONS],
    ['run', RUN_OPTIONS],
    ['stop', STOP_OPTIONS],
    ['Tickets', TICKET_OPTIONS],
    ['SsePublishModule', { ...PUBLISH_ROUTE, ...PUBLISH_OPTIONS }],
    ['SseInspectorModule', { ...INSPECTOR_ROUTE, ...INSPECTOR_OPTIONS }],
  ])('list every option of %s with its unit and its default', (heading, options) => {
    const entries = heading === 'Module' ? Object.entries<Entry>(options) : flat(options);
    const rows = table(heading);
    expect([...rows.keys()].sort()).toEqual(entries.map(([name]) => name).sort());
    for (const [name, entry] of entries) {
      const { Unit: unit, Default: inWords } = rows.get(name)!;
      const value = entry.read(undefined, name, '');
      const isInWords = value === undefined || entry.table || IN_WORDS.has(`${heading} ${name}`);
      expect([name, unit, inWords]).toEqual([
        name,
        entry.unit ?? (heading === 'send' ? unit : ''),
        isInWords ? expect.stringMatching(/./) : shown(value),
      ]);
    }
  });

  it('of OpenTelemetry list every option', () => {
    const rows = tableUnder('docs/metrics.md', 'OpenTelemetry');
    const options = Object.entries<Entry>(OPENTELEMETRY_OPTIONS);
    expect(rows.map((row) => [row['Option'], row['Default']])).toEqual(
      options.map(([name, entry]) => [`\`${name}\``, shown(entry.read(undefined, name, ''))]),
    );
  });

  it.each<[string, AnyTable]>([
    ['ready', READY_OPTIONS],
    ['live', LIVE_OPTIONS],
  ])('of health list every option of %s', (heading, options) => {
    const rows = optionsUnder('docs/health.md', heading);
    expect([...rows.keys()].sort()).toEqual(Object.keys(options).sort());
    for (const [name, entry] of Object.entries<Entry>(options)) {
      const { Unit: unit, Default: byDefault } = rows.get(name)!;
      const value = entry.read(undefined, name, '');
      expect([name, unit, byDefault]).toEqual([
        name,
        entry.unit ?? '',
        Array.isArray(value) ? 'none' : shown(value),
      ]);
    }
  });

  it('list every code of an error', () => {
    const codes: Record<api.SseErrorCode, true> = {
      INVALID_OPTION: true,
      INVALID_CHANNEL: true,
      INVALID_EVENT: true,
      EVENT_TOO_LARGE: true,
      MISSING_PEER: true,
      NOT_CONFIGURED: true,
      UNAVAILABLE: true,
      TRANSACTION_FAILED: true,
      LIMIT_REACHED: true,
      FORBIDDEN: true,
      RUN_ACTIVE: true,
      CLOSED: true,
    };
    expect(names('Errors')).toEqual(Object.keys(codes).sort());
  });

  it('list everything else that the package exports', () => {
    const text = read(DOCUMENT);
    expect(Object.keys(api).filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });

  it('list every option of the command', () => {
    const text = read(DOCUMENT);
    const flags = [...SQL_USAGE.matchAll(/--[a-z-]+/g)].map(([flag]) => flag);
    expect(flags.filter((flag) => !new RegExp(`${flag}\\b`).test(text))).toEqual([]);
  });

  it.each([
    ['listen', LISTEN_USAGE],
    ['publish', PUBLISH_USAGE],
  ])('of the command list every option of %s', (heading, usage) => {
    const flagsIn = (text: string) =>
      [...text.matchAll(/^ *(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag!);
    const rows = tableUnder('docs/command.md', heading).map((row) =>
      row['Option']!.replaceAll('`', ''),
    );
    expect(rows.flatMap(flagsIn).sort()).toEqual([...new Set(flagsIn(usage))].sort());
  });
});
