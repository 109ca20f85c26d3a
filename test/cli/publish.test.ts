import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Sse } from '@nestjs/common';
import { PUBLISH_OPTIONS } from '../../lib/cli/publish/publish.options.js';
import { SseChannel } from '../../lib/index.js';
import { startPublishApp } from '../publish/app.js';
import { ADAPTERS, closeApps } from '../support/start-app.js';
import { freePort } from '../support/free-port.js';
import { until } from '../support/until.js';
import { endCli, startCli, type CliProcess } from './cli-process.js';

const ends: (() => unknown)[] = [];

afterEach(async () => {
  endCli();
  await closeApps();
  for (const end of ends.splice(0).reverse()) {
    await end();
  }
});

const TOKEN = ['-H', 'Authorization: Bearer secret'];

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}
}

/** An application, a client of its channel `news`, and the command that publishes to it. */
async function newsApp(options = {}, adapter: (typeof ADAPTERS)[number] = 'express') {
  const app = await startPublishApp(options, { adapter, controllers: [NewsController] });
  const client = await app.connect('/news');
  return {
    ...app,
    /** What the client has received. */
    data: () => client.events.map(({ data }) => data),
    client,
    publish: (args: readonly string[], input?: string): CliProcess =>
      startCli(['publish', `${app.url}/publish`, ...TOKEN, ...args], { input }),
  };
}

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n + 1));

const asLines = (data: readonly string[], channel = 'news') =>
  data.map((text) => `${JSON.stringify({ channel, data: text })}\n`).join('');

describe('nestjs-sse-channels publish', () => {
  it('publishes one event, and prints its id', async () => {
    const { publish, client } = await newsApp();
    const args = ['--channel', 'news', '--type', 'progress', '--id', 'v1', '-d', '{"percent": 5}'];
    const cli = publish(args);
    expect([await cli.ended, cli.err]).toEqual([0, '']);
    await until(() => client.events.length === 1);
    expect(client.events[0]).toMatchObject({ type: 'progress', id: 'v1', data: '{"percent":5}' });
    expect(cli.out).toMatch(/^\S+\n$/);
    const text = publish(['--channel', 'news', '-d', '{"percent": 5}', '--text', '--json']);
    expect(await text.ended).toBe(0);
    await until(() => client.events.length === 2);
    expect(client.events[1]!.data).toBe('{"percent": 5}');
    expect(JSON.parse(text.out)).toEqual({
      status: 'sent',
      id: client.events[1]!.id,
      duplicate: false,
    });
  });

  it.each(ADAPTERS)('publishes the events of stdin in their order, on %s', async (adapter) => {
    const { publish, data } = await newsApp({}, adapter);
    const sent = numbers(1_000);
    const cli = publish(['--json'], `${asLines(sent)}\n`);
    expect(await cli.ended).toBe(0);
    await until(() => data().length >= sent.length);
    expect(data()).toEqual(sent);
    expect(cli.lines.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual(
      sent.map(Number),
    );
    expect(cli.err).toBe('1000 published, 0 of them there already, 0 failed\n');
  });

  it('publishes lines of text as they come', async () => {
    const { publish, data } = await newsApp();
    const cli = publish(['--channel', 'news', '--lines']);
    const { stdin } = cli.child;
    for (const text of ['one', 'two {', '[3]']) {
      stdin!.write(`${text}\r\n`);
      await until(() => data().includes(text));
    }
    stdin!.end('the last, without a line end');
    expect(await cli.ended).toBe(0);
    await until(() => data().length === 4);
    expect(cli.lines).toHaveLength(4);
  });

  it('leaves out what is no event, says so, and publishes the others', async () => {
    const { publish, data } = await newsApp({ channels: ['news'] });
    const input = [
      '{"data":"one"}',
      'no json',
      '[1]',
      '{"channel":"secret","data":"x"}',
      '{"data":"two","colour":"red"}',
      '{"data":"three"}',
    ];
    const cli = publish(['--channel', 'news'], input.join('\n'));
    expect(await cli.ended).toBe(1);
    await until(() => data().length === 2);
    expect(data()).toEqual(['one', 'three']);
    expect(cli.err).toMatch(/^line 2: it is no JSON\./m);
    expect(cli.err).toMatch(/^line 3: it is no object\./m);
    expect(cli.err).toMatch(/^line 4: 403 FORBIDDEN: /m);
    expect(cli.err).toMatch(/^line 5: 400 INVALID_EVENT: .*"colour"/m);
    expect(cli.err).toMatch(/^2 published, 0 of them there already, 4 failed$/m);
    expect(cli.lines).toHaveLength(2);
  });

  it('loses and repeats nothing when answers are lost and the server is away', async () => {
    const app = await newsApp();
    let requests = 0;
    const url = await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const nth = ++requests;
        if (nth % 3 === 1) {
          response.writeHead(502).end('<html>');
          return;
        }
        const headers = request.headers as Record<string, string>;
        const body = Buffer.concat(chunks);
        void fetch(`${app.url}/publish`, {
          method: 'POST',
          headers: {
            authorization: headers['authorization']!,
            'content-type': headers['content-type']!,
          },
          body,
        }).then(async (answer) => {
          // The events are there, and nobody hears of it.
          if (nth % 3 === 2) response.destroy();
          else response.writeHead(answer.status).end(await answer.text());
        });
      });
    });
    const sent = numbers(60);
    const cli = startCli(['publish', url, ...TOKEN, '--batch', '20'], { input: asLines(sent) });
    expect(await cli.ended).toBe(0);
    await until(() => app.data().length >= sent.length);
    expect(app.data()).toEqual(sent);
    expect(cli.err).toContain('60 published, 60 of them there already, 0 failed\n');
    expect(cli.err).toMatch(/The answer is 502.* Again in \d+ ms\./);
    expect(requests).toBeGreaterThanOrEqual(9);
  });

  it('sends nothing again without keys that may have arrived', async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests++;
      response.destroy();
    });
    const args = ['--channel', 'news', '-d', 'x', '--no-key'];
    const cli = startCli(['publish', url, ...args]);
    expect(await cli.ended).toBe(1);
    expect(requests).toBe(1);
    expect(cli.err).toMatch(/^The server cannot be reached: /);
  });

  it('publishes the same input once with the same --key', async () => {
    const { publish, data } = await newsApp();
    const again = () => publish(['--key', 'import-7', '-q', '--json'], asLines(['a', 'b']));
    for (const isDuplicate of [false, true]) {
      const cli = again();
      expect(await cli.ended).toBe(0);
      expect(
        cli.lines.map((line) => (JSON.parse(line) as { duplicate: boolean }).duplicate),
      ).toEqual([isDuplicate, isDuplicate]);
    }
    await publish(['--channel', 'news', '-d', 'c']).ended;
    await until(() => data().includes('c'));
    expect(data()).toEqual(['a', 'b', 'c']);
  });

  it('makes smaller requests where the server takes no large ones', async () => {
    const { publish, data } = await newsApp({ limits: { eventsPerRequest: 7 } });
    const sent = numbers(50);
    const cli = publish([], asLines(sent));
    expect(await cli.ended).toBe(0);
    await until(() => data().length >= sent.length);
    expect(data()).toEqual(sent);
  });

  it('publishes all where nobody reads the ids', async () => {
    const { publish, data } = await newsApp();
    const cli = publish(['--batch', '1']);
    cli.child.stdout!.destroy();
    cli.child.stdin!.end(asLines(numbers(20)));
    expect(await cli.ended).toBe(0);
    await until(() => data().length === 20);
  });

  it('shows no control character of an answer', async () => {
    const url = await serve((_, response) =>
      response.writeHead(400).end(JSON.stringify({ message: '\x1b[2J\x9bowned\u202e' })),
    );
    for (const more of [[], ['--json']]) {
      const cli = startCli(['publish', url, '--channel', 'x', '-d', 'x', ...more]);
      expect(await cli.ended).toBe(1);
      expect(cli.out + cli.err).toContain('owned');
      // oxlint-disable-next-line no-control-regex
      expect(cli.out + cli.err).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    }
  });
});

describe('The exit code of nestjs-sse-channels publish', () => {
  it('is 1 when the server refuses, and the rest is not sent', async () => {
    const { url, data } = await newsApp();
    const args = ['publish', `${url}/publish`, '-H', 'Authorization: Bearer hush', '--batch', '1'];
    const cli = startCli(args, { input: asLines(numbers(3)) });
    expect(await cli.ended).toBe(1);
    expect(cli.err).toMatch(/^line 1: 403: .*\nThe rest is not sent\.\n0 published/);
    expect(cli.err).not.toContain('hush');
    expect(data()).toEqual([]);
    const nowhere = startCli(['publish', `${url}/nothing`, '--channel', 'x', '-d', 'x']);
    expect(await nowhere.ended).toBe(1);
    expect(nowhere.err).toMatch(/^404: /);
  });

  it('is 1 for an answer without an end, which does not fill the memory', async () => {
    const url = await serve((_, response) => {
      const bytes = Buffer.alloc(65_536, ' ');
      const more = () => {
        while (!response.destroyed && response.write(bytes));
      };
      response.on('drain', more).write('{', more);
    });
    const cli = startCli(['publish', url, '--channel', 'x', '-d', 'x'], {
      env: { NODE_OPTIONS: '--max-old-space-size=200' },
    });
    expect(await cli.ended).toBe(1);
    expect(cli.err).toContain('The answer is 200. Is this the address of SsePublishModule?');
  });

  it('is 0 when an answer is cut inside its compressed data, and the next one is whole', async () => {
    let requests = 0;
    const keys: unknown[] = [];
    const url = await serve((request, response) => {
      const nth = ++requests;
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        const { events } = JSON.parse(body) as { events: { idempotencyKey: string }[] };
        keys.push(events[0]!.idempotencyKey);
        const answer = gzipSync('{"results":[{"status":"sent","id":"7","duplicate":false}]}');
        response
          .setHeader('content-type', 'application/json')
          .setHeader('content-encoding', 'gzip');
        response.end(nth === 1 ? answer.subarray(0, answer.length / 2) : answer);
      });
    });
    const cli = startCli(['publish', url, '--channel', 'x', '-d', 'x']);
    expect(await cli.ended).toBe(0);
    expect(cli.err).toMatch(/^The answer has broken off\. Again in \d+ ms\.\n/);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
  });

  it('is 1 when the server is not there, after --retries', async () => {
    const url = `http://127.0.0.1:${await freePort()}/publish`;
    const cli = startCli(['publish', url, '--channel', 'x', '-d', 'x', '--retries', '1']);
    expect(await cli.ended).toBe(1);
    expect(cli.err).toMatch(/ECONNREFUSED.* Again in \d+ ms\.\n.*ECONNREFUSED.*\n$/);
  });

  it('is 130 after Ctrl-C', async () => {
    const { publish, data } = await newsApp();
    const cli = publish(['--channel', 'news', '--lines']);
    cli.child.stdin!.write('one\n');
    await until(() => data().length === 1 && cli.lines.length === 1);
    cli.child.kill('SIGINT');
    expect(await cli.ended).toBe(130);
    expect(cli.err).toBe('1 published, 0 of them there already, 0 failed\n');
  });

  it.each([
    [[], 'The address is missing'],
    [['host', '-d', 'x'], '--channel is missing'],
    [['host', '--lines'], '--channel is missing'],
    [['host', '--channel', 'x', '-d', 'x', '--lines'], '--lines does not go with --data'],
    [['host', '--id', 'x'], '--id does not go with events from stdin'],
    [['host', '--no-key', '--key', 'x'], '--key does not go with --no-key'],
    [['host', '--text'], '--text goes with --data or --lines'],
    [['host', '--batch', '0'], '--batch is "0"'],
    [['host', '--timeout', '0'], '--timeout is "0"'],
    [['host', '--timeout', '1', '--timeout', '2'], '--timeout is given twice'],
    [['host', '--header', 'secret'], "A header is not like 'Name: value'"],
    [['host', '--key', ''], '--key is empty or too long'],
  ])('is 2 for the arguments %j', async (args, message) => {
    const cli = startCli(['publish', ...args], { input: '' });
    expect(await cli.ended).toBe(2);
    expect(cli.err).toContain(message);
    expect(cli.err).toContain('See: nestjs-sse-channels publish --help');
  });

  it('is 0 for --help, which names every option', async () => {
    const cli = startCli(['publish', '--help']);
    expect(await cli.ended).toBe(0);
    expect(cli.out).toMatch(/^Usage: nestjs-sse-channels publish <url>/);
    const { help: _, ...options } = PUBLISH_OPTIONS;
    expect(Object.keys(options).filter((name) => !cli.out.includes(`--${name} `))).toEqual([]);
  });
});
