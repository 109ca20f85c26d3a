import { describe, expect, it } from '@jest/globals';
import { SQL_USAGE } from '../../lib/cli/sql-command.js';
import * as api from '../../lib/index.js';
import { eventTableSettings } from '../../lib/sources/event-table/event-table.options.js';
import { keyOptions } from '../../lib/sources/cache/cache-options.js';
import { checkPollOptions } from '../../lib/sources/poll/poll.options.js';
import { settingsOf } from '../../lib/setup/settings.js';
import { read, tableUnder } from './markdown.js';
import { propertiesOf } from './type-check.js';

const DOCUMENT = 'docs/options.md';

const table = (heading: string) =>
  new Map(
    tableUnder(DOCUMENT, heading).map((row) => {
      const name = Object.values(row)[0]!;
      return [/`([\w.]+)/.exec(name)![1]!, row];
    }),
  );

const names = (heading: string) => [...table(heading).keys()].sort();

/** How a default is written in the tables. */
function shown(value: unknown): string {
  if (value === Infinity) return 'no limit';
  if (typeof value === 'number') return value.toLocaleString('en-US');
  if (typeof value === 'string') return `\`'${value}'\``;
  return `\`${String(value)}\``;
}

const isGroup = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** `{ a: { b: 1 } }` as `a.b`. */
function flat(settings: object, prefix = ''): [string, unknown][] {
  return Object.entries(settings).flatMap(([name, value]): [string, unknown][] =>
    isGroup(value) ? flat(value, `${prefix}${name}.`) : [[prefix + name, value]],
  );
}

const settings = Object.entries(settingsOf({}));
const groups: [string, object][] = [
  ...(settings.filter(([, value]) => isGroup(value)) as [string, object][]),
  ['eventTable', eventTableSettings()],
];

describe('the tables of options', () => {
  const types = propertiesOf([
    'SseModuleOptions',
    'EndpointOptions',
    'SseService',
    'SendOptions',
    'PollOptions',
    'ResumeOptions',
  ]);

  it.each([
    ['Module', 'SseModuleOptions', ['extraProviders', 'isGlobal']],
    ['Endpoint', 'EndpointOptions', []],
    ['Service', 'SseService', []],
    ['send', 'SendOptions', []],
    ['poll', 'PollOptions', []],
    ['stream', 'ResumeOptions', []],
  ])('under %s have every property of %s', (heading, type, extras) => {
    expect(names(heading)).toEqual([...types.get(type)!, ...extras].sort());
  });

  it.each(groups)('under %s have every option and its default', (heading, group) => {
    const rows = table(heading);
    const defaults = [...rows].map(([name, row]) => [name, row['Default']]);
    expect(Object.fromEntries(defaults)).toEqual(
      Object.fromEntries(flat(group).map(([name, value]) => [name, shown(value)])),
    );
  });

  it.each([
    ['Module', Object.fromEntries(settings)],
    ['Endpoint', { ...keyOptions({}), maxInterval: undefined, doneSignal: undefined }],
    ['poll', { ...checkPollOptions({}), doneSignal: undefined }],
  ])('under %s have the defaults of the code', (heading, defaults) => {
    const rows = table(heading);
    for (const [name, value] of Object.entries(defaults)) {
      const row = rows.get(name)!['Default'];
      if (['number', 'string', 'boolean'].includes(typeof value)) {
        expect([name, row]).toEqual([name, shown(value)]);
      } else {
        expect([name, row]).toEqual([name, expect.stringMatching(/./)]);
      }
    }
  });

  it('name every code of an error', () => {
    const codes: Record<api.SseErrorCode, true> = {
      INVALID_OPTION: true,
      INVALID_CHANNEL: true,
      INVALID_EVENT: true,
      EVENT_TOO_LARGE: true,
      MISSING_PEER: true,
      NOT_CONFIGURED: true,
      UNAVAILABLE: true,
      LIMIT_REACHED: true,
      CLOSED: true,
    };
    expect(names('Errors')).toEqual(Object.keys(codes).sort());
  });

  it('stand beside every other thing that is exported', () => {
    const text = read(DOCUMENT);
    expect(Object.keys(api).filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });

  it('stand beside every option of the command', () => {
    const text = read(DOCUMENT);
    const flags = [...SQL_USAGE.matchAll(/--[a-z-]+/g)].map(([flag]) => flag);
    expect(flags.filter((flag) => !new RegExp(`${flag}\\b`).test(text))).toEqual([]);
  });
});
