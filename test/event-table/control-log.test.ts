import { describe, expect, it } from '@jest/globals';
import type { Session } from '../../lib/sources/postgres/session.js';
import { TableControlLog } from '../../lib/sources/event-table/control-log.js';
import { formatPosition } from '../../lib/sources/event-table/position.js';
import { Topics } from '../../lib/sources/event-table/topics.js';
import { LogRecorder } from '../cache/recorder.js';

describe('The control log of the event table', () => {
  it('passes a command once that it has read ahead, unless another history has its id', async () => {
    const told: string[] = [];
    const topics = new Topics(new LogRecorder(), 1_000);
    const log = new TableControlLog(
      { schema: 'sse', retain: { age: 1_000 } } as never,
      {} as never,
      topics,
      {
        command: (text) => told.push(text),
        caughtUp: () => told.push('(caught up)'),
        behind: () => told.push('(behind)'),
        lost: () => told.push('(lost)'),
      },
    );
    const rows = ['five', 'six'].map((data, nth) => ({ id: `${nth + 5}`, data, age: 0 }));
    const session = { queryAgainAfterLocks: async () => rows } as unknown as Session;
    const at = (id: number) => formatPosition({ timeline: 1, id });
    await log.catchUp(session, { timeline: 1, id: 4 });
    topics.append('sse:control', { data: 'five', position: at(5) });
    topics.reset('failover', at(0));
    topics.append('sse:control', { data: 'another six', position: at(6) });
    log.close();
    topics.append('sse:control', { data: 'seven', position: at(7) });
    expect(told).toEqual(['five', 'six', '(caught up)', '(lost)', 'another six']);
  });
});
