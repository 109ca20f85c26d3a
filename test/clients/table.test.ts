import { describe, expect, it } from '@jest/globals';
import { read, tableUnder } from '../docs/markdown.js';
import type { Client } from './listening.js';
import { NODE_CLIENTS } from './node-clients.js';

const rows = tableUnder('docs/clients.md', 'Clients from npm');

/** The column of a client, as `eventsource 1` has one with `eventsource` 2. */
function columnOf({ name }: Client): string {
  const [, plain, version] = /^(?:@\w+\/)?([\w-]+)(?: (\d))?$/.exec(name)!;
  return Object.keys(rows[0]!).find((column) => {
    const [, title, versions = ''] = /`([\w-]+)`(?: ([\d, ]+))?/.exec(column) ?? [];
    return title === plain && (version === undefined || versions.includes(version));
  })!;
}

/** What the table says of a client, as its tests are told what it does. */
function saidOf(client: Client): Record<string, string> {
  const isForYou = client.name.endsWith('fetch-event-source');
  const lost = (isLost: boolean, what: string) => (isLost ? `**loses ${what}**` : 'nothing lost');
  const atEnd = client.ignoresEnd ? '**returns for ever**' : 'stops';
  return {
    // These tests of client-tests.ts are the same for all clients.
    'Connections that break at random bytes': 'nothing lost, or twice',
    'A break before the first event': 'nothing lost',
    'Another server, or the same after a restart': '`sse:reset`',
    'An empty stream in place of the 502': 'returns',
    'An own id in latin1, such as `é`': 'resumes',
    'A break right before the empty line of an event': lost(client.keepsIdAtItsLine, 'that event'),
    "The same with `opening: 'frame'`": lost(!client.keepsIdOfFrames, 'what it missed'),
    '204 after the end of a run': client.stopsAtEnd ? 'stops, with no request' : atEnd,
    '502': client.returnsAfter502 ? 'returns' : '**ends for good**',
    'Another own id, such as `☃`': {
      resumes: 'resumes',
      'never returns': '**never returns**',
      throws: '**ends the process**',
    }[client.withWideId],
    ...(isForYou && { '204 after the end of a run': 'as you write', '502': 'as you write' }),
  };
}

/** What the table says of `ngx-sse-client`, and the test that shows it. */
const OF_NGX: Record<string, [cell: string, title: string]> = {
  'Connections that break at random bytes': [
    '**loses what it missed**',
    'loses what it misses while its connection is broken',
  ],
  'A break right before the empty line of an event': [
    '**loses that event**',
    'loses an event when the connection is cut before the empty line of its frame',
  ],
  'A break before the first event': [
    '**loses what it missed**',
    'loses what it misses before its first event, with opening: %j',
  ],
  "The same with `opening: 'frame'`": [
    '**loses what it missed**',
    'loses what it misses before its first event, with opening: %j',
  ],
  '204 after the end of a run': [
    '**asks for the next run**',
    'goes on at the end of a run, with the next run of the channel',
  ],
  'Another server, or the same after a restart': [
    '**no reset**',
    'gets no reset after a restart of the server',
  ],
  '502': ['**ends for good**', "ends for good after a proxy's 502"],
  'An empty stream in place of the 502': [
    'returns; **loses what it missed**',
    'loses what it misses while an empty stream is in place of the 502',
  ],
  'An own id in latin1, such as `é`': ['never resumes', 'never resumes by an own id: %j'],
  'Another own id, such as `☃`': ['never resumes', 'never resumes by an own id: %j'],
};

describe('The table of clients from npm', () => {
  // The recipe is no client of its own.
  it.each(NODE_CLIENTS.filter(({ name }) => !name.includes('goes on')))(
    'says of $name what its tests show',
    (client) => {
      const column = columnOf(client);
      const cells = rows.map((row) => [row['']!, row[column]!.split(';')[0]!]);
      expect(Object.fromEntries(cells)).toEqual(saidOf(client));
    },
  );

  it('says of ngx-sse-client what its own tests show', () => {
    const cells = rows.map((row) => [row['']!, row['`ngx-sse-client`']!]);
    const said = Object.entries(OF_NGX).map(([what, [cell]]) => [what, cell]);
    expect(Object.fromEntries(cells)).toEqual(Object.fromEntries(said));
    const tests = read('test/clients/ngx-sse-client.test.ts');
    for (const [, title] of Object.values(OF_NGX)) expect(tests).toContain(title);
  });

  it('has a column for each client, and no other', () => {
    const columns = NODE_CLIENTS.filter(({ name }) => !name.includes('goes on')).map(columnOf);
    expect(new Set(Object.keys(rows[0]!))).toEqual(new Set(['', ...columns, '`ngx-sse-client`']));
  });
});
