import { readFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { runCli } from '../../lib/cli/run-cli.js';
import { dropTriggerSql } from '../../lib/sources/postgres/drop-trigger-sql.js';
import { triggerSql } from '../../lib/sources/postgres/trigger-sql.js';
import { projectRoot } from '../support/project-root.js';

/** Runs the command as a process of its own. */
function spawned(...args: string[]) {
  const loader = ['--import', join(projectRoot, 'scripts/typescript.mjs')];
  const child = spawn(process.execPath, [...loader, join(projectRoot, 'lib/cli.ts'), ...args]);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

const users = ['sql', '--table', 'users', '--channel', 'x'];

describe('nestjs-sse-channels sql', () => {
  it('prints what triggerSql() returns', async () => {
    const { code, out, err } = await spawned(
      'sql',
      '--table',
      'users',
      '--channel',
      'user_updates',
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(triggerSql({ table: 'users', channel: 'user_updates' }));
    expect(out).toContain('after insert or update or delete on "users"');
  });

  it('accepts a key of several columns and a list of events', () => {
    const names = ['--table', 'app.Users', '--channel', 'ü', '--key', 'tenant', '--key', 'user id'];
    const { code, output } = runCli(['sql', ...names, '--events', 'delete, INSERT']);
    expect(code).toBe(0);
    expect(output).toBe(
      triggerSql({
        table: 'app.Users',
        channel: 'ü',
        key: ['tenant', 'user id'],
        events: ['insert', 'delete'],
      }),
    );
  });

  it('prints what dropTriggerSql returns', () => {
    expect(runCli(['sql', '--drop', '--table', 'app.users', '--channel', 'x']).output).toBe(
      dropTriggerSql({ table: 'app.users', channel: 'x' }),
    );
  });

  it.each(['--version', '-v'])('tells its version: %s', async (option) => {
    const { version } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8'));
    expect(runCli([option])).toEqual({ code: 0, output: `${version}\n`, errors: '' });
  });

  it.each([[['--help']], [['-h']], [['help']], [['sql', '--help']], [['sql', '-h']]])(
    'prints its usage for %j',
    (args) => {
      const { code, output, errors } = runCli(args);
      expect([code, errors]).toEqual([0, '']);
      expect(output).toMatch(/^Usage: nestjs-sse-channels /);
    },
  );

  it.each([
    [[], 'A command is missing.'],
    [['sequel'], 'There is no command "sequel".'],
    [['sql'], '--table is missing.'],
    [['sql', '--table', 'users'], '--channel is missing.'],
    [['sql', '--table'], '--table'],
    [['sql', '--tabel', 'users'], "Unknown option '--tabel'. See: nestjs-sse-channels sql --help"],
    [['sql', 'users'], 'users'],
    [['sql', '--table', 'a.b.c', '--channel', 'x'], '"a.b.c"'],
    [['sql', '--table', '', '--channel', 'x'], 'The table ""'],
    [['sql', '--table', 'x'.repeat(64), '--channel', 'x'], 'has 64 bytes'],
    [['sql', '--table', 'users', '--channel', 'é'.repeat(32)], 'has 64 bytes'],
    [['sql', '--table', 'users', '--channel', 'x', '--key', ''], 'The key column is empty'],
    [['sql', '--table', 'users', '--channel', 'x', '--events', 'insert,truncate'], '"truncate"'],
    [['sql', '--table', 'users', '--channel', 'x', '--events', ''], 'insert, update, delete'],
    [
      ['sql', '--table', 'users', '--channel', 'user:{id}'],
      'The channel "user:{id}" has braces, and a trigger that notifies fills no template. Give a name without braces, or use',
    ],
    [['sql', '--table', 'users', '--channel', 'user:{id'], '"user:{id" has braces'],
    [['sql', '--table', 'users', '--drop', '--channel', 'user:{id}'], '"user:{id}" has braces'],
    [['sql', '--table', 'a', '--table', 'b'], '--table is given twice: "a" and "b". Give it once.'],
    [['sql', '--durable', '--durable'], '--durable is given twice. Give it once.'],
    [[...users, '--key', 'ctid'], 'The key column "ctid" is one of the server\'s own'],
    [[...users, '--key', 'id', '--key', 'id'], 'The key column "id" is given twice.'],
    [[...users, '--key', 'a\0b'], 'Leave out NUL'],
    [
      [...users, '--drop', '--events', 'insert'],
      '--events does not go with --drop, which removes all',
    ],
    [[...users, '--drop', '--force'], '--force goes with --drop --event-table.'],
    [['sql', '--table', '--channel', 'x'], 'ambiguous'],
  ])('refuses the arguments %j', (args, message) => {
    const { code, output, errors } = runCli(args);
    expect([code, output]).toEqual([2, '']);
    expect(errors).toMatch(/^nestjs-sse-channels: /);
    expect(errors).toContain(message);
    expect(errors.match(/\n/g)).toHaveLength(1);
  });

  it('exits with code 2, and prints the reason to stderr without a stack', async () => {
    const { code, out, err } = await spawned('sql', '--table', 'a.b.c', '--channel', 'x');
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^nestjs-sse-channels: The table "a\.b\.c" is not a name .*\n$/);
  });
});
