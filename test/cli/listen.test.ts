import { Controller, Header, Req, RequestMethod, Sse, UseGuards } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { LISTEN_OPTIONS } from '../../lib/cli/listen/listen.options.js';
import { requestedChannels, SseChannel } from '../../lib/index.js';
import { KeptEvents } from '../proxies/kept-events.js';
import { freePort } from '../support/free-port.js';
import { closeApps, startApp, type TestApp } from '../support/start-app.js';
import { startRedis } from '../support/redis.js';
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

/** What one line of `--json` says. */
interface Line {
  readonly type: string;
  readonly data: string;
  readonly id?: string;
  readonly position?: string;
  readonly channel?: string;
  readonly at: string;
  readonly delay?: number;
}

const linesOf = (cli: CliProcess): Line[] => cli.lines.map((line) => JSON.parse(line) as Line);

class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    return headers['authorization'] === 'Bearer good';
  }
}

@Controller()
class NewsController {
  @Sse('news')
  @SseChannel('news')
  news() {}

  @Sse('guarded')
  @UseGuards(TokenGuard)
  @SseChannel('news')
  guarded() {}

  @Sse('stream', { method: RequestMethod.ALL })
  @SseChannel(requestedChannels(), { authorize: (_, channel) => channel !== 'secret' })
  stream() {}
}

async function newsApp() {
  const app = await startApp({ controllers: [NewsController], options: { retry: 50 } });
  const isRead = async (count = 1) =>
    until(() => app.sse.stats().connections === count, { what: `${count} connections` });
  return { ...app, isRead };
}

/** A server of Server-Sent Events that is not ours. */
async function foreign(
  answer: (response: ServerResponse, nth: number, request: IncomingMessage) => void,
): Promise<string> {
  let nth = 0;
  const server: Server = createServer((request, response) => answer(response, ++nth, request));
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
}

function open(response: ServerResponse): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  return response;
}

describe('nestjs-sse-channels listen', () => {
  it('prints events for people, and the connection on stderr', async () => {
    const app = await newsApp();
    const cli = startCli(['listen', `${app.url}/news`, '--count', '2']);
    await app.isRead();
    const id = await app.sse.send('news', { a: 1 }, { type: 'greeting' });
    await app.sse.send('news', 'two\nlines');
    expect(await cli.ended).toBe(0);
    const [first, second, third] = cli.lines;
    expect(first).toMatch(/^\d\d:\d\d:\d\d\.\d{3}  \S+  greeting  \{"a":1\}$/);
    expect(first).toContain(id);
    expect(second).toMatch(/  message  two$/);
    expect(third).toBe('    lines');
    expect(cli.err).toMatch(/^connected\nchannels: news\n2 events of \d+ bytes in /);
    // No terminal, no colours.
    expect(cli.out + cli.err).not.toContain('\x1b');
  });

  it('prints one object of JSON for each event with --json, and nothing else', async () => {
    const app = await newsApp();
    const cli = startCli(['listen', `${app.url}/news`, '--count', '3', '--json', '--quiet']);
    await app.isRead();
    const sent: Line[] = [];
    for (const data of ['one', 'two\nlines', '{"three":3}']) {
      const id = await app.sse.send('news', data, { type: 'kind' });
      sent.push({ type: 'kind', data, id, position: id, at: expect.any(String) as never });
    }
    expect(await cli.ended).toBe(0);
    expect(linesOf(cli)).toEqual(sent);
    expect(cli.err).toBe('');
  });

  it.each(['human', '--json'])(
    'lets no control character of an event reach the terminal: %s',
    async (how) => {
      const url = await foreign((response) => {
        // A clear screen, a title, a C1 control, a bell, a reversed text, and a name and an id like that.
        const evil = '\x1b[2J\x1b]0;owned\x07\x9b31m\x7f\u202egnp.exe';
        open(response).write(`event: ${evil}\nid: ${evil}\ndata: ${evil}\ndata: ${evil}\n\n`);
      });
      const cli = startCli(['listen', url, '--count', '1', ...(how === '--json' ? [how] : [])]);
      expect(await cli.ended).toBe(0);
      // oxlint-disable-next-line no-control-regex
      expect(cli.out + cli.err).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
      expect(cli.out).toContain('gnp.exe');
      if (how === '--json') {
        expect(linesOf(cli)[0]!.data).toBe(
          Array(2).fill('\x1b[2J\x1b]0;owned\x07\x9b31m\x7f\u202egnp.exe').join('\n'),
        );
      }
    },
  );

  it('returns when the server restarts, and loses and repeats nothing', async () => {
    const port = await freePort();
    const kept = new KeptEvents();
    @Controller()
    class KeptController {
      @Sse('kept')
      @SseChannel('kept', { source: kept })
      kept() {}
    }
    const start = (): Promise<TestApp> =>
      startApp({
        controllers: [KeptController],
        port,
        options: { retry: 50, drainTimeout: 50 },
      });
    let app = await start();
    const total = 40;
    const cli = startCli(['listen', `127.0.0.1:${port}/kept`, '--json', '--count', String(total)]);
    await until(() => app.sse.stats().connections === 1);
    for (let n = 1; n <= total; n++) {
      kept.append('kept', String(n));
      if (n % 10 === 5) {
        await app.close();
        kept.append('kept', String(++n));
        app = await start();
      }
    }
    expect(await cli.ended).toBe(0);
    expect(linesOf(cli).map(({ data }) => data)).toEqual(
      Array.from({ length: total }, (_, n) => String(n + 1)),
    );
    expect(cli.err).toMatch(/connected, after \S+\n/);
    expect(cli.err).toMatch(/ [1-9]\d* reconnects?, 0 resets\n$/);
  });

  it('shows a reset, where events are lost', async () => {
    const port = await freePort();
    const start = () =>
      startApp({ controllers: [NewsController], port, options: { retry: 50, drainTimeout: 50 } });
    let app = await start();
    const cli = startCli(['listen', `http://127.0.0.1:${port}/news`, '--json', '--count', '2']);
    await until(() => app.sse.stats().connections === 1);
    await app.sse.send('news', 'before');
    await until(() => cli.lines.length === 1);
    await app.close();
    app = await start();
    await until(() => cli.lines.length === 2);
    await app.sse.send('news', 'after');
    expect(await cli.ended).toBe(0);
    expect(linesOf(cli).map(({ type }) => type)).toEqual(['message', 'sse:reset', 'message']);
    expect(cli.err).toMatch(/, 1 reconnect, 1 reset\n$/);
  });

  it('asks for channels by their names, and resumes each of them', async () => {
    const app = await newsApp();
    const args = ['listen', `${app.url}/stream`, '--channels', 'room:1, room:2,secret', '--json'];
    const cli = startCli(args);
    await cli.says('channels: room:1, room:2');
    await app.sse.send('room:1', 'a');
    await app.sse.send('room:2', 'b');
    await until(() => cli.lines.length === 3);
    await app.sse.disconnect({ channel: 'room:1' });
    await cli.says(/connected, after /);
    await app.isRead();
    await app.sse.send('room:1', 'c');
    await until(() => linesOf(cli).some(({ data }) => data === 'c'));
    cli.child.kill('SIGINT');
    expect(await cli.ended).toBe(130);
    const events = linesOf(cli);
    expect(
      events.filter(({ type }) => type === 'message').map(({ channel, data }) => [channel, data]),
    ).toEqual([
      ['room:1', 'a'],
      ['room:2', 'b'],
      ['room:1', 'c'],
    ]);
    expect(events.some(({ type, data }) => type === 'sse:denied' && data.includes('secret'))).toBe(
      true,
    );
    const all = startCli([...args, '--from', 'earliest', '--count', '3']);
    expect(await all.ended).toBe(0);
    expect(
      new Set(
        linesOf(all)
          .map(({ data }) => data)
          .filter((data) => data.length === 1),
      ),
    ).toEqual(new Set(['a', 'b', 'c']));
  });

  it('begins after an event', async () => {
    const app = await newsApp();
    const reader = await app.connect('/news');
    const [, second] = [
      await app.sse.send('news', '1'),
      await app.sse.send('news', '2'),
      await app.sse.send('news', '3'),
    ];
    const cli = startCli([
      'listen',
      `${app.url}/news`,
      '--from',
      second!,
      '--count',
      '1',
      '--json',
    ]);
    expect(await cli.ended).toBe(0);
    expect(linesOf(cli).map(({ data }) => data)).toEqual(['3']);
    await reader.close();
  });

  it('tells how old an event of Redis is', async () => {
    const server = await startRedis();
    ends.push(() => server.stop());
    const app = await startApp({
      controllers: [NewsController],
      options: { redis: server.url, broker: 'redis' },
    });
    const cli = startCli(['listen', `${app.url}/news`, '--count', '1', '--json']);
    await cli.says('channels: news');
    await app.sse.send('news', 'x');
    expect(await cli.ended).toBe(0);
    const [{ delay, position }] = linesOf(cli) as [Line];
    expect(position).toMatch(/^\d{13}-\d+$/);
    expect(delay).toEqual(expect.any(Number));
  });

  it('sends headers, a method and a body', async () => {
    const seen: unknown[] = [];
    @Controller()
    class EchoController {
      @Sse('echo', { method: RequestMethod.POST })
      @Header('x-own', '1')
      @SseChannel('echo')
      echo(@Req() { headers, method, body }: Record<string, never>) {
        const { authorization, 'content-type': type, 'x-two': two } = headers as never;
        seen.push({ method, body, authorization, type, two });
      }
    }
    const app = await startApp({ controllers: [EchoController] });
    const cli = startCli([
      'listen',
      app.url.replace('//', '//ada:lace@').concat('/echo'),
      '-H',
      'X-Two: 2',
      '--data',
      '{"a":1}',
    ]);
    await cli.says('channels: echo');
    expect(seen).toEqual([
      {
        method: 'POST',
        body: { a: 1 },
        authorization: `Basic ${Buffer.from('ada:lace').toString('base64')}`,
        type: 'application/json',
        two: '2',
      },
    ]);
    expect(cli.err).not.toContain('lace');
  });
});

describe('The exit code of nestjs-sse-channels listen', () => {
  it('is 0 at the end of a stream', async () => {
    const app = await newsApp();
    const cli = startCli(['listen', `${app.url}/news`]);
    await app.isRead();
    await app.sse.complete('news');
    expect(await cli.ended).toBe(0);
    expect(cli.err).toContain('The stream has ended.');
  });

  it('is 0 for an answer of 204', async () => {
    const url = await foreign((response) => response.writeHead(204).end());
    expect(await startCli(['listen', url]).ended).toBe(0);
  });

  it('is 1 when the server refuses, and the token is not repeated', async () => {
    const app = await newsApp();
    const good = startCli(['listen', `${app.url}/guarded`, '-H', 'authorization: Bearer good']);
    await good.says('channels: news');
    const cli = startCli([
      'listen',
      `${app.url}/guarded`,
      '-q',
      '-H',
      'authorization: Bearer hush',
    ]);
    expect(await cli.ended).toBe(1);
    expect(cli.err).toBe('The answer is 403. Forbidden resource\n');
    const none = startCli(['listen', `${app.url}/nothing?ticket=hush`, '-q']);
    expect(await none.ended).toBe(1);
    expect(none.err).toBe('The answer is 404.\n');
  });

  it('says what the server says of its refusal, and nothing of it reaches the terminal', async () => {
    const url = await foreign((response) =>
      response
        .writeHead(400, { 'content-type': 'application/json' })
        .end(JSON.stringify({ message: ['No channel is named.', '\x1b[2Jowned'] })),
    );
    const cli = startCli(['listen', url, '-q']);
    expect(await cli.ended).toBe(1);
    expect(cli.err).toBe('The answer is 400. No channel is named. \\x1b[2Jowned\n');
  });

  it.each([
    ['application/json', `{"message":"${'x'.repeat(70_000)}"}`],
    ['application/json', '{"message":'],
    ['application/json', '{"message":7}'],
    ['text/html', '{"message":"x"}'],
  ])('says the status alone where the answer has no message: %s', async (type, body) => {
    const url = await foreign((response) =>
      response.writeHead(400, { 'content-type': type }).end(body),
    );
    const cli = startCli(['listen', url, '-q']);
    expect(await cli.ended).toBe(1);
    expect(cli.err).toBe('The answer is 400.\n');
  });

  it('is 1 when the server is not there, unless it is to wait', async () => {
    const port = await freePort();
    const cli = startCli(['listen', `http://127.0.0.1:${port}/news`]);
    expect(await cli.ended).toBe(1);
    expect(cli.err).toMatch(/ECONNREFUSED.* With --wait it tries again\.\n/);
    const waiting = startCli(['listen', `http://127.0.0.1:${port}/news`, '--wait', '--count', '1']);
    await waiting.says(/ECONNREFUSED.*Again in \d+ ms\./);
    const app = await startApp({ controllers: [NewsController], port });
    await waiting.says('channels: news');
    await app.sse.send('news', 'x');
    expect(await waiting.ended).toBe(0);
  });

  it('is 1 for what is no stream', async () => {
    const url = await foreign((response) => response.end('<html>'));
    const cli = startCli(['listen', url]);
    expect(await cli.ended).toBe(1);
    expect(cli.err).toContain('The answer is no event stream');
  });

  it('is 1 for a type that only begins like that of a stream, and is never called connected', async () => {
    const url = await foreign((response) => {
      response.writeHead(200, { 'content-type': 'text/event-streams' }).end('data: x\n\n');
    });
    const cli = startCli(['listen', url]);
    expect(await cli.ended).toBe(1);
    expect(cli.err).toMatch(/^The answer is no event stream: text\/event-streams\./);
  });

  it.each(['data: ', 'data: x\n', ':', 'id: 1\n'])(
    'is 1 for an event without an end, and does not fill the memory: %j',
    async (piece) => {
      const url = await foreign((response) => {
        const bytes = Buffer.from(piece.repeat(100_000 / piece.length));
        const more = () => {
          while (!response.destroyed && response.write(bytes));
        };
        open(response).on('drain', more).write('data: one\n\n', more);
      });
      const cli = startCli(['listen', url], { env: { NODE_OPTIONS: '--max-old-space-size=900' } });
      expect(await cli.ended).toBe(1);
      expect(cli.lines).toHaveLength(1);
      expect(cli.err).toContain('An event has more than 67108864 bytes, or no end.');
    },
  );

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ] as const)('takes a part of an answer in %s for a break', async (coding, compress) => {
    const lines = Array.from({ length: 999 }, (_, n) => `id: ${n}\ndata: ${Math.sin(n)}\n\n`);
    const text = compress(lines.join(''));
    const url = await foreign((response, nth, { headers }) => {
      const after = compress(`retry: 1\ndata: after ${headers['last-event-id']}\n\n`);
      // Both are complete answers of HTTP.
      const body = nth === 1 ? text.subarray(0, text.length / 2) : after;
      open(response.setHeader('content-encoding', coding)).end(body);
    });
    const cli = startCli(['listen', url]);
    await cli.says('The connection has broken off: unexpected end of file. Again in');
    const isAfter = (line: string): boolean => line.includes('message  after ');
    const after = await until(() => cli.lines.find(isAfter));
    expect(after).toMatch(new RegExp(`message  after ${cli.lines.indexOf(after) - 1}$`));
    // A whole one is the end.
    await cli.says('The connection has ended. Again in');
  });

  it('says that a stream has ended inside an event', async () => {
    const url = await foreign((response) => open(response).end('data: x\n\ndata: cut\n'));
    const cli = startCli(['listen', url, '--no-reconnect']);
    expect(await cli.ended).toBe(1);
    expect(cli.lines).toHaveLength(1);
    expect(cli.err).toContain('The stream has ended inside an event.');
  });

  it('follows redirects, without what another server must not know', async () => {
    const seen: (string | undefined)[] = [];
    const tell = (response: ServerResponse, { method, headers, url }: IncomingMessage): void => {
      const { authorization, 'x-own': own, 'content-type': type } = headers;
      seen.push([method, url, authorization, own, type].join(' '));
      open(response).end('data: [DONE]\n\n');
    };
    const other = await foreign((response, _, request) => tell(response, request));
    const first = await foreign((response, _, request) => {
      if (request.url === '/next') tell(response, request);
      else response.writeHead(303, { location: '/next' }).end();
    });
    const args = ['-d', '{}', '-H', 'authorization: Bearer secret', '-H', 'x-own: a'];
    expect(await startCli(['listen', first, ...args]).ended).toBe(0);
    expect(seen).toEqual(['GET /next Bearer secret a ']);
    seen.length = 0;
    const away = await foreign((response) => {
      response.writeHead(307, { location: `${other}away` }).end();
    });
    expect(await startCli(['listen', away, ...args]).ended).toBe(0);
    expect(seen).toEqual(['POST /away  a application/json']);
    const round = await foreign((response) => response.writeHead(302, { location: '/' }).end());
    const cli = startCli(['listen', round]);
    expect(await cli.ended).toBe(1);
    expect(cli.err).toContain('There are more than 20 redirects.');
  });

  it('says in words why a connection broke off', async () => {
    const cut = await foreign((response) => {
      open(response).write('data: x\n\n');
      setTimeout(() => response.destroy(), 50);
    });
    const garbage = await foreign((response) => {
      response.setHeader('content-encoding', 'gzip');
      open(response).end('no gzip');
    });
    for (const url of [cut, garbage]) {
      const cli = startCli(['listen', url, '--no-reconnect']);
      expect(await cli.ended).toBe(1);
      expect(cli.err).toMatch(
        /The connection has broken off: (other side closed|incorrect header)/,
      );
    }
  });

  it('is 1 when --timeout comes before --count, and else 0', async () => {
    const app = await newsApp();
    const args = ['listen', `${app.url}/news`, '--timeout', '1'];
    const [bounded, counting] = [startCli(args), startCli([...args, '--count', '5'])];
    expect(await Promise.all([bounded.ended, counting.ended])).toEqual([0, 1]);
  });

  it('is that of the end with --no-reconnect', async () => {
    const tidy = await foreign((response) => open(response).end('data: x\n\n'));
    expect(await startCli(['listen', tidy, '--no-reconnect']).ended).toBe(0);
    const broken = await foreign((response) => {
      open(response).write('data: x\n\n');
      setTimeout(() => response.destroy(), 50);
    });
    expect(await startCli(['listen', broken, '--no-reconnect']).ended).toBe(1);
  });

  it('is 130 after Ctrl-C, and the server is rid of the connection', async () => {
    const app = await newsApp();
    const cli = startCli(['listen', `${app.url}/news`]);
    await app.isRead();
    cli.child.kill('SIGINT');
    expect(await cli.ended).toBe(130);
    expect(cli.err).toMatch(/0 events of 0 bytes in .*\n$/);
    await app.isRead(0);
  });

  it('is 0 when nobody reads the output any more', async () => {
    const app = await newsApp();
    const cli = startCli(['listen', `${app.url}/news`, '--json', '-q']);
    await app.isRead();
    await app.sse.send('news', 'one');
    await until(() => cli.lines.length === 1);
    cli.child.stdout!.destroy();
    const sending = setInterval(() => void app.sse.send('news', 'more'), 20);
    ends.push(() => clearInterval(sending));
    expect(await cli.ended).toBe(0);
    expect(cli.err).toBe('');
  });

  it.each([
    [[], 'The address is missing'],
    [['a', 'b'], 'There are 2 addresses'],
    [['ftp://host/'], 'The address is no URL'],
    [['host', '--count', '0'], '--count is "0". Give a whole number from 1'],
    [['host', '--count', '1', '--count', '2'], '--count is given twice'],
    [['host', '--timeout', '2147484'], '--timeout is "2147484". Give a whole number from 1 to'],
    [['host', '--silence', '-'], '--silence is "-". Give a whole number from 0 to'],
    [['host', '--header', 'secret'], "A header is not like 'Name: value'"],
    [['host', '--from', 'earliest'], '--from earliest goes with --channels'],
    [['host', '--from', '1', '--last-event-id', '2'], 'say the same'],
    [['host', '--channels', 'a,,b'], '--channels is "a,,b"'],
    [['host', '--colour'], "Unknown option '--colour'"],
  ])('is 2 for the arguments %j', async (args, message) => {
    const cli = startCli(['listen', ...args]);
    expect(await cli.ended).toBe(2);
    expect(cli.err).toContain(message);
    expect(cli.err).toContain('See: nestjs-sse-channels listen --help');
    expect(cli.err).not.toContain('secret');
    expect(cli.out).toBe('');
  });

  it('is 0 for --help, which names every option', async () => {
    const cli = startCli(['listen', '--help']);
    expect(await cli.ended).toBe(0);
    expect(cli.out).toMatch(/^Usage: nestjs-sse-channels listen <url>/);
    const { help: _, ...options } = LISTEN_OPTIONS;
    expect(Object.keys(options).filter((name) => !cli.out.includes(`--${name} `))).toEqual([]);
  });
});
