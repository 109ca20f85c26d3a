import { describe, expect, it } from '@jest/globals';
import { tableUnder } from '../docs/markdown.js';
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

describe('The table of clients from npm', () => {
  // The recipe is no client of its own.
  it.each(NODE_CLIENTS.filter(({ name }) => !name.includes('goes on')))(
    'says of $name what its tests show',
    (client) => {
      const column = columnOf(client);
      const said = Object.entries(saidOf(client)).map(([what, words]) => {
        const cell = rows.find((row) => row[''] === what)![column]!;
        return [what, cell.split(';')[0], words];
      });
      expect(said.map(([what, cell]) => [what, cell])).toEqual(
        said.map(([what, , words]) => [what, words]),
      );
    },
  );
});
