import { Controller, Injectable, Logger, Scope, Sse, type ModuleMetadata } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  OnSseConnect,
  OnSseDisconnect,
  SseChannel,
  type SseClosed,
  type SseConnectionEvent,
  type SseOpened,
} from '../../lib/index.js';
import { Guard } from '../../lib/channel/guard.js';
import { ConnectionHook } from '../../lib/connections/connection-hook.js';
import { LogRecorder } from '../cache/recorder.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

let calls: string[] = [];
const note = (who: string, { connection, ...event }: SseConnectionEvent): void => {
  const reason = event.type === 'closed' ? ` ${event.reason}` : '';
  calls.push(`${who} ${event.type} ${connection.channels.join()}${reason}`);
};

@Controller()
class RoomsController {
  @Sse('rooms/:room')
  @SseChannel('room:{room}')
  room() {}

  @Sse('several')
  @SseChannel(() => ['news', 'room:1'])
  several() {}

  @OnSseDisconnect('news')
  newsClosed(event: SseClosed) {
    note('controller', event);
  }
}

@Injectable()
class Everything {
  private readonly who = 'everything';

  @OnSseConnect()
  @OnSseDisconnect()
  any(event: SseConnectionEvent) {
    note(this.who, event);
  }
}

@Injectable()
class Rooms {
  @OnSseConnect('room:{room}')
  opened(event: SseOpened) {
    note('rooms', event);
  }

  @OnSseConnect('room.1')
  neverOpened(event: SseOpened) {
    note('never', event);
  }
}

/** It has the method of its parent, and none of its own. */
@Injectable()
class Inherited extends Rooms {}

@Injectable()
class Failing {
  @OnSseConnect()
  throws(): void {
    throw new Error('a hook throws');
  }

  @OnSseConnect()
  async rejects(): Promise<void> {
    throw new Error('a hook rejects');
  }

  @OnSseDisconnect()
  never(): Promise<void> {
    return new Promise(() => undefined);
  }
}

describe.each(ADAPTERS)('Hooks on %s', (adapter) => {
  afterEach(async () => {
    jest.restoreAllMocks();
    await closeApps();
  });

  const start = (providers: ModuleMetadata['providers'], logger: unknown = false) => {
    calls = [];
    return startApp({
      adapter,
      providers,
      controllers: [RoomsController],
      logger: logger as never,
    });
  };

  it('of providers and controllers are called, those of a channel or template for its streams', async () => {
    const { connect } = await start([Everything, Rooms]);
    const room = await connect('/rooms/1');
    const several = await connect('/several');
    await until(() => calls.length === 4);
    await room.close();
    await until(() => calls.length === 5);
    await several.close();
    await until(() => calls.length === 7);
    expect(calls.sort()).toEqual([
      'controller closed news,room:1 client-left',
      'everything closed news,room:1 client-left',
      'everything closed room:1 client-left',
      'everything opened news,room:1',
      'everything opened room:1',
      'rooms opened news,room:1',
      'rooms opened room:1',
    ]);
  });

  it('are called once for an object, however many tokens it has, and also when inherited', async () => {
    const { connect } = await start([
      Inherited,
      { provide: 'again', useExisting: Inherited },
      { provide: 'nothing', useValue: null },
      { provide: 'text', useValue: 'text' },
      { provide: 'of no class', useValue: Object.create({ constructor: undefined, method() {} }) },
    ]);
    await (await connect('/rooms/1')).close();
    await connect('/several');
    await until(() => calls.length === 2);
    expect(calls).toEqual(['rooms opened room:1', 'rooms opened news,room:1']);
  });

  it('cause a log line and nothing else when they fail', async () => {
    const lines: string[] = [];
    const error = (line: unknown) => void lines.push(String(line));
    const quiet = () => undefined;
    const { connect, sse, close } = await start([Failing, Everything], {
      log: quiet,
      warn: quiet,
      error,
    });
    jest.spyOn(Logger, 'error').mockImplementation(() => undefined);
    const client = await connect('/rooms/1');
    await sse.send('room:1', 'event');
    expect((await client.next()).data).toBe('event');
    await until(() => lines.length === 2);
    expect(lines.sort()).toEqual([
      'Failing.rejects failed: a hook rejects',
      'Failing.throws failed: a hook throws',
    ]);
    await client.close();
    await until(() => calls.length === 2);
    // A hook that never settles keeps nobody waiting.
    await close();
  });

  it('keep the application from starting when their class is made for each request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @OnSseConnect()
      opened() {}
    }
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      @OnSseDisconnect()
      closed() {}
    }
    for (const Wrong of [PerRequest, Transient]) {
      await expect(start([Wrong])).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(/^(PerRequest\.opened|Transient\.closed) is called when/),
      });
    }
  });
});

describe('A hook', () => {
  it.each([['room:{id'], [''], ['a\n'], [7 as never]])(
    'cannot be for the channel %j',
    (channel) => {
      expect(() => OnSseConnect(channel)).toThrow(
        expect.objectContaining({ code: 'INVALID_CHANNEL' }),
      );
      expect(() => OnSseDisconnect(channel)).toThrow(
        expect.objectContaining({ code: 'INVALID_CHANNEL' }),
      );
    },
  );

  it.each([
    ['job:{id}', ['job:1', 'job:a%3Ab.c~d_-'], ['job:', 'job:1:2', 'xjob:1', 'job:1\n', 'job:a b']],
    ['{a}.{b}', ['x.y', 'x.y.z'], ['x', '.y', 'x:y']],
    ['a+(b)[c]$|^?*', ['a+(b)[c]$|^?*'], ['aab', '']],
  ])('for %s is called for what channelName() makes of it', (template, yes, no) => {
    const seen: string[] = [];
    class Hooked {
      @OnSseConnect(template)
      opened() {}
    }
    const [mark] = Reflect.getMetadata('sse:connection-hooks', Hooked.prototype.opened) as [never];
    const services = { guard: new Guard(new LogRecorder()), log: new LogRecorder() };
    const hook = new ConnectionHook(
      'Hooked.opened',
      mark,
      (event) => seen.push('connection' in event ? event.connection.channels[0]! : event.channel),
      services,
    );
    for (const name of [...yes, ...no]) {
      hook.tell({ type: 'opened', connection: { channels: [name] } as never });
    }
    expect(seen).toEqual(yes);
  });

  it('causes one log line when it never settles', async () => {
    const log = new LogRecorder();
    const mark = { type: 'opened', channels: undefined } as const;
    const never = () => new Promise(() => undefined);
    const services = { guard: new Guard(log), log };
    const hook = new ConnectionHook('Hooked.opened', mark, never, services, 30);
    const opened = { type: 'opened', connection: { channels: [] } } as never;
    for (let i = 0; i < 50; i++) hook.tell(opened);
    await until(() => log.lines.length > 0);
    hook.tell(opened);
    const settled = new ConnectionHook('Hooked.settled', mark, async () => undefined, services, 1);
    for (let i = 0; i < 50; i++) settled.tell(opened);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(log.lines).toEqual([
      expect.stringMatching(/Hooked\.opened has not settled within 30 ms/),
    ]);
  });
});
