import {
  Controller,
  Injectable,
  Module,
  Scope,
  Sse,
  UseInterceptors,
  type CallHandler,
  type Type,
} from '@nestjs/common';
import {
  ContextIdFactory,
  RouterModule,
  type ContextId,
  type HostComponentInfo,
} from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { SseChannel } from '../../lib/index.js';
import type { FrameworkRequest } from '../../lib/endpoint/framework-request.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

type AppRequest = Pick<FrameworkRequest, 'headers'>;

const userOf = ({ headers }: AppRequest) => String(headers['x-user']);

/** What only a provider knows. */
@Injectable()
class Members {
  roomsOf(user: string): string[] {
    return [`${user}:1`, `${user}:2`, 'secret'];
  }

  mayRead(channel: string): boolean {
    return channel !== 'secret';
  }
}

@Injectable({ scope: Scope.REQUEST })
class MembersOfRequest extends Members {}

@Injectable({ scope: Scope.REQUEST, durable: true })
class MembersOfTenant extends Members {}

/** Which functions were called, and with which `this`. */
const calls = new Map<string, unknown>();

function noted<T>(name: string, controller: unknown, answer: T): T {
  calls.set(name, controller);
  return answer;
}

abstract class Rooms {
  abstract readonly members: Members;

  @Sse('rooms')
  @SseChannel(
    function (this: Rooms, request: AppRequest) {
      return noted('resolver', this, this.members.roomsOf(userOf(request)));
    },
    {
      client(this: Rooms, request) {
        return noted('client', this, this.members.roomsOf(userOf(request))[0]);
      },
      expires(this: Rooms) {
        return noted('expires', this, this.members.mayRead('a') ? undefined : 1);
      },
      async authorize(this: Rooms, _request, channel) {
        return noted('authorize', this, this.members.mayRead(channel));
      },
      revalidate: {
        interval: 1_000,
        check(this: Rooms) {
          return noted('check', this, this.members.mayRead('a'));
        },
      },
      snapshot(this: Rooms, channel) {
        return noted('snapshot', this, this.members.mayRead(channel));
      },
    },
  )
  rooms() {
    noted('handler', this, undefined);
  }
}

@Controller('shared')
class SharedRooms extends Rooms {
  constructor(readonly members: Members) {
    super();
  }
}

@Controller('scoped')
class ScopedRooms extends Rooms {
  constructor(readonly members: MembersOfRequest) {
    super();
  }
}

@Controller('durable')
class DurableRooms extends Rooms {
  constructor(readonly members: MembersOfTenant) {
    super();
  }
}

@Controller('around')
@UseInterceptors({ intercept: (_context: unknown, next: CallHandler) => next.handle() })
class SurroundedRooms extends Rooms {
  constructor(readonly members: Members) {
    super();
  }
}

@Controller('around-scoped')
@UseInterceptors({ intercept: (_context: unknown, next: CallHandler) => next.handle() })
class SurroundedScopedRooms extends Rooms {
  constructor(readonly members: MembersOfRequest) {
    super();
  }
}

const CONTROLLERS: Type[] = [
  SharedRooms,
  ScopedRooms,
  DurableRooms,
  SurroundedRooms,
  SurroundedScopedRooms,
];
const FUNCTIONS = ['authorize', 'check', 'client', 'expires', 'handler', 'resolver', 'snapshot'];

/** One object for all requests of a tenant. */
const BY_TENANT = {
  tenant: { id: 1 } as ContextId,
  attach(contextId: ContextId) {
    return {
      resolve: ({ isTreeDurable }: HostComponentInfo) =>
        isTreeDurable ? BY_TENANT.tenant : contextId,
      payload: {},
    };
  },
};

@Module({ controllers: [SharedRooms], providers: [Members] })
class OneModule {}

@Module({ controllers: [SharedRooms], providers: [Members] })
class OtherModule {}

describe.each(ADAPTERS)('The functions of an endpoint on %s', (adapter) => {
  afterEach(async () => {
    await closeApps();
    calls.clear();
    ContextIdFactory.apply(undefined as never);
  });

  const start = () =>
    startApp({
      adapter,
      controllers: CONTROLLERS,
      providers: [Members, MembersOfRequest, MembersOfTenant],
    });

  it.each(['shared', 'scoped', 'durable', 'around', 'around-scoped'])(
    'have its controller as `this`: %s',
    async (path) => {
      ContextIdFactory.apply(BY_TENANT);
      const { sse, connect } = await start();
      const controllers = new Set<unknown>();
      for (const user of ['ann', 'bob']) {
        calls.clear();
        const client = await connect(`/${path}/rooms`, { headers: { 'x-user': user } });
        // The check comes after an interval: one is enough.
        const expected = FUNCTIONS.filter((name) => user === 'bob' || name !== 'check');
        await until(() => expected.every((name) => calls.has(name)));
        const [controller, ...others] = new Set(calls.values());
        expect(controller).toBeInstanceOf(Rooms);
        expect(others).toEqual([]);
        controllers.add(controller);
        expect(sse.connections({ client: `${user}:1` })).toMatchObject([
          { channels: [`${user}:1`, `${user}:2`] },
        ]);
        await client.close();
      }
      expect(controllers.size).toBe(path.endsWith('scoped') ? 2 : 1);
    },
  );

  it('have that of the module of the route, where two modules have the controller', async () => {
    const { app, connect } = await startApp({
      adapter,
      imports: [
        OneModule,
        OtherModule,
        RouterModule.register([
          { path: 'one', module: OneModule },
          { path: 'other', module: OtherModule },
        ]),
      ],
    });
    for (const [path, module] of [
      ['one', OneModule],
      ['other', OtherModule],
    ] as const) {
      calls.clear();
      await connect(`/${path}/shared/rooms`, { headers: { 'x-user': 'ann' } });
      const controller = app.select(module).get(SharedRooms, { strict: true });
      expect(calls.get('handler')).toBe(controller);
      expect(calls.get('resolver')).toBe(controller);
    }
  });

  it('have no `this` before the handler where the class was replaced', async () => {
    const { connect } = await startApp({ adapter, controllers: [ReplacedController] });
    await connect('/replaced');
    await until(() => calls.has('snapshot'));
    expect(calls.get('resolver')).toBeUndefined();
    expect(calls.get('handler')).toBeDefined();
    expect(calls.get('snapshot')).toBe(calls.get('handler'));
  });

  it('have no `this` where they are those of forRoot()', async () => {
    const { connect } = await startApp({
      adapter,
      controllers: [PlainController],
      options: {
        client(this: unknown) {
          return noted('client', this, 'ann');
        },
        authorize(this: unknown) {
          return noted('authorize', this, true);
        },
      },
    });
    await connect('/plain');
    expect(Object.fromEntries(calls)).toEqual({ client: undefined, authorize: undefined });
  });
});

/** As some tracing does it: what is made by the new class does not name it as its constructor. */
function Replaced(): ClassDecorator {
  return (original) => {
    function Replacement(...args: unknown[]): unknown {
      return Reflect.construct(original, args, Replacement);
    }
    Replacement.prototype = original.prototype;
    return Replacement as never;
  };
}

@Controller()
@Replaced()
class ReplacedController {
  @Sse('replaced')
  @SseChannel(
    function (this: unknown) {
      return noted('resolver', this, 'a');
    },
    {
      snapshot(this: unknown) {
        return noted('snapshot', this, '');
      },
    },
  )
  replaced() {
    noted('handler', this, undefined);
  }
}

@Controller()
class PlainController {
  @Sse('plain')
  @SseChannel('plain')
  plain() {}
}
