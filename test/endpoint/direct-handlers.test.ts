import {
  Controller,
  Injectable,
  Module,
  Param,
  SetMetadata,
  Sse,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  type NestInterceptor,
  type NestModule,
} from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { finalize, type Observable } from 'rxjs';
import { SseChannelInterceptor } from '../../lib/endpoint/sse-channel.interceptor.js';
import { SseChannel } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

/** What guards and interceptors have seen. */
const seen: string[] = [];

@Injectable()
class NamingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const handler = context.getHandler();
    seen.push(`${handler.name} of ${String(Reflect.getMetadata('topic', handler))}`);
    return true;
  }
}

class Witness implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    seen.push('begin');
    return next.handle().pipe(finalize(() => seen.push('end')));
  }
}

@Controller()
@UseGuards(NamingGuard)
class Rooms {
  readonly told: string[] = [];

  @Sse('plain')
  @SseChannel('room')
  @SetMetadata('topic', 'rooms')
  plain(): void {
    this.told.push('plain');
  }

  @Sse('params/:id')
  @SseChannel('room')
  params(@Param('id') id: string): void {
    this.told.push(id);
  }

  @Sse('surrounded')
  @SseChannel('room')
  @UseInterceptors(Witness)
  surrounded(): void {
    this.told.push('surrounded');
  }
}

let lateApp: INestApplication;

/** Adds an interceptor once ours has prepared the handlers. */
@Module({})
class LateModule implements NestModule {
  configure(): void {
    lateApp.useGlobalInterceptors(new Witness());
  }
}

afterEach(async () => {
  jest.restoreAllMocks();
  await closeApps();
  seen.length = 0;
});

describe.each(ADAPTERS)('Handlers without parameters and interceptors on %s', (adapter) => {
  it('answer without our interceptor, and all others with it', async () => {
    const intercept = jest.spyOn(SseChannelInterceptor.prototype, 'intercept');
    const { app, sse, connect } = await startApp({ adapter, controllers: [Rooms] });
    const plain = await connect('/plain');
    await sse.send('room', 'hello');
    expect((await plain.next()).data).toBe('hello');
    expect(intercept).toHaveBeenCalledTimes(0);
    await connect('/params/7');
    await connect('/surrounded');
    expect(intercept).toHaveBeenCalledTimes(2);
    expect(app.get(Rooms).told).toEqual(['plain', '7', 'surrounded']);
  });

  it('have their name and metadata for guards, and no parts for whoever looks at the controller', async () => {
    const { app, connect } = await startApp({ adapter, controllers: [Rooms] });
    await connect('/plain');
    expect(seen).toEqual(['plain of rooms']);
    const rooms = app.get(Rooms);
    expect(Object.keys(rooms)).toEqual(['told']);
    rooms.plain();
    expect(rooms.told).toEqual(['plain', 'plain']);
  });

  it('are those of one application', async () => {
    const intercept = jest.spyOn(SseChannelInterceptor.prototype, 'intercept');
    const direct = await startApp({ adapter, controllers: [Rooms] });
    const around = await startApp({
      adapter,
      controllers: [Rooms],
      prepare: (app) => app.useGlobalInterceptors(new Witness()),
    });
    const client = await around.connect('/plain');
    expect(intercept).toHaveBeenCalledTimes(1);
    await direct.connect('/plain');
    expect(intercept).toHaveBeenCalledTimes(1);
    expect(seen.filter((each) => each === 'begin')).toHaveLength(1);
    await client.close();
    await until(() => seen.includes('end'));
  });

  it('show the end of the stream to interceptors that come later', async () => {
    const { connect } = await startApp({
      adapter,
      controllers: [Rooms],
      imports: [LateModule],
      prepare: (app) => {
        lateApp = app;
      },
    });
    const intercept = jest.spyOn(SseChannelInterceptor.prototype, 'intercept');
    const client = await connect('/plain');
    expect(intercept).toHaveBeenCalledTimes(0);
    expect(seen).toEqual(['plain of rooms', 'begin']);
    await client.close();
    await until(() => seen.includes('end'));
  });
});
