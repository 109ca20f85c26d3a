import { describe, expect, it } from '@jest/globals';
import { runCli } from '../../lib/cli/run-cli.js';
import {
  dropDurableTriggerSql,
  dropEventTableSql,
  durableTriggerSql,
  eventTableSql,
} from '../../lib/index.js';

describe('nestjs-sse-channels sql', () => {
  const orders = ['sql', '--table', 'orders', '--channel', 'orders', '--durable'];

  it('prints what eventTableSql() returns', () => {
    expect(runCli(['sql', '--event-table']).output).toBe(eventTableSql());
    const { output } = runCli(['sql', '--event-table', '--schema', 'Events']);
    expect(output).toBe(eventTableSql({ schema: 'Events' }));
    expect(output).toContain('create table if not exists "Events".event');
  });

  it('prints what durableTriggerSql() returns', () => {
    const plain = { table: 'orders', channel: 'orders' };
    expect(runCli([...orders, '--key', 'id']).output).toBe(durableTriggerSql(plain));
    expect(runCli([...orders, '--payload', 'key', '--key', 'id']).output).toBe(
      durableTriggerSql({ ...plain, columns: ['id'] }),
    );
    expect(
      runCli([...orders, '--columns', 'id, total', '--events', 'INSERT', '--schema', 'x']).output,
    ).toBe(
      durableTriggerSql({
        ...plain,
        columns: ['id', 'total'],
        events: ['insert'],
        eventSchema: 'x',
      }),
    );
    expect(runCli([...orders, '--bulk']).output).toBe(durableTriggerSql({ ...plain, bulk: true }));
  });

  it('prints what removes the table and its triggers', () => {
    const table = ['sql', '--drop', '--event-table'];
    expect(runCli(table).output).toBe(dropEventTableSql());
    expect(runCli([...table, '--schema', 'Events', '--force']).output).toBe(
      dropEventTableSql({ schema: 'Events', force: true }),
    );
    expect(dropEventTableSql({ force: true })).not.toBe(dropEventTableSql());
    const { output } = runCli([...orders, '--drop', '--schema', 'Events']);
    expect(output).toBe(
      dropDurableTriggerSql({ table: 'orders', channel: 'orders', eventSchema: 'Events' }),
    );
  });

  it.each([
    [['sql', '--event-table', '--table', 'x'], '--table does not go with --event-table'],
    [['sql', '--event-table', '--durable'], '--durable does not go with --event-table'],
    [['sql', '--event-table', '--schema', 'a b'], 'letters, digits and underscores'],
    [['sql', '--table', 'x', '--channel', 'y', '--bulk'], '--bulk goes with --durable'],
    [['sql', '--table', 'x', '--channel', 'y', '--schema', 'z'], '--schema goes with --durable'],
    [[...orders, '--payload', 'all'], 'Give row or key'],
    [[...orders, '--payload', 'key'], '--key is missing'],
    [[...orders, '--payload', 'key', '--key', 'a', '--columns', 'b'], '--columns does not go'],
    [[...orders, '--columns', ''], 'The column is empty'],
    [[...orders, '--columns', 'id,xmin'], 'The column "xmin" is one of the server\'s own'],
    [[...orders, '--columns', 'id, id'], 'The column "id" is given twice'],
    [[...orders, '--key', 'ctid'], 'The key column "ctid"'],
    [[...orders, '--key', ''], 'The key column is empty'],
    [[...orders, '--drop', '--bulk'], '--bulk does not go with --drop'],
    [['sql', '--event-table', '--force'], '--force goes with --drop --event-table'],
    [['sql', '--event-table', '--drop', '--channel', 'x'], '--channel does not go with'],
    [['sql', '--table', 'x', '--channel', 'y:{ctid}', '--durable'], 'The column "ctid"'],
    [['sql', '--table', 'x', '--channel', 'y:{id', '--durable'], 'without its other half'],
    [[...orders, '--events', 'truncate'], 'insert, update, delete'],
  ])('refuses the arguments %j', (args, message) => {
    const { code, output, errors } = runCli(args);
    expect([code, output]).toEqual([2, '']);
    expect(errors).toContain(message);
  });
});
