/*
 * What must compile in a user's application, and what must not: `npm run typecheck` fails for a
 * line that does not compile, and for an @ts-expect-error above a line that does. Nothing runs.
 */
import { Controller, Injectable, Module, Sse, type MessageEvent } from '@nestjs/common';
import { filter, map, type Observable } from 'rxjs';
import {
  channelName,
  channelParams,
  isReset,
  LastEventId,
  SseChannel,
  SseError,
  SseEvents,
  SseModule,
  SseService,
  type Broker,
  type ChannelSource,
  type ResetReason,
  type SseErrorCode,
  type SseEventMap,
  type SseJoin,
  type SseEvent,
  type SseModuleOptions,
  type SseOpen,
  type SseSnapshot,
  type SseMember,
  type SsePresence,
  type SseRun,
  type SseRunEnd,
  type SseReset,
} from '../../lib/index.js';

/** True when both types are the same, `any` and `unknown` included. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_isSame: Same<A, B>): void => undefined;

interface Notice {
  readonly level: number;
}
interface AppRequest {
  readonly user: { readonly id: string; readonly expiresAt: Date };
}

declare const sse: SseService;

// An event is what a handler of Nest's may emit.
declare const event: SseEvent<Notice>;
export const message: MessageEvent = event;
export const messages: Observable<MessageEvent> = sse.stream<Notice>('news');

// Without a type argument, data is what the application says it is.
export const levels: Observable<number> = sse.stream('news').pipe(map(({ data }) => data.level));
same<SseEvent<Notice>['data'], Notice>(true);
same<SseEvent<string>['data'], string>(true);
// @ts-expect-error data is a text or an object: numbers arrive as text
export type OfNumber = SseEvent<number>;
// @ts-expect-error an event is shared by all subscribers
event.data = { level: 1 };
// @ts-expect-error a notice has no title
export const title = event.data.title;

// isReset() narrows.
declare const any: SseEvent;
if (isReset(any)) {
  same<typeof any.data, SseReset>(true);
  same<typeof any.data.reason, ResetReason>(true);
}

// The service.
same<ReturnType<SseService['send']>, Promise<string>>(true);
same<ReturnType<SseService['sendKey']>, Promise<void>>(true);
void sse.send('news', { level: 1 }, { type: 'notice', id: 'own', retry: 1_000 });
void sse.send('news', 'text', { serialize: (data) => String(data) });
// @ts-expect-error the name of an option
void sse.send('news', 'text', { event: 'notice' });
// @ts-expect-error a channel is named by a text
void sse.send(7, 'text');
export const keys: Observable<SseEvent<Notice>> = sse.streamKey<Notice>('key', { mode: 'watch' });
// @ts-expect-error there are two modes
sse.streamKey('key', { mode: 'read' });
export const polled: Observable<SseEvent<Notice>> = sse.poll(() => ({ level: 1 }));
export const seldom: Observable<SseEvent<Notice>> = sse.poll(
  async (): Promise<Notice | null> => null,
);
// @ts-expect-error a number is no data
sse.poll(() => 1);

// Names.
export const name: string = channelName('job:{id}', { id: 1 });

// The decorators.
@Controller()
export class StreamsController {
  @Sse('bare')
  @SseChannel('news')
  bare(): void {
    // The channel as it is.
  }

  @Sse('own/:id')
  @SseChannel<AppRequest>((request) => [`user:${request.user.id}`, 'news'], {
    expires: (request) => request.user.expiresAt,
    authorize: async ({ user }, channel) => channel !== user.id,
  })
  own(
    @SseEvents() events$: Observable<SseEvent<Notice>>,
    @LastEventId() position: string | undefined,
  ): Observable<SseEvent<Notice>> {
    return events$.pipe(filter(({ data, id }) => data.level > 1 && id !== position));
  }

  @Sse('rows')
  @SseChannel('rows', { source: 'postgres', type: 'row', refetch: async () => [] })
  rows(): void {
    // The channel as it is.
  }

  @Sse('state')
  @SseChannel<AppRequest>(() => 'news', {
    async snapshot(this: StreamsController, channel: string, { user }, signal) {
      signal.throwIfAborted();
      this.rows();
      return { [channel]: user.id };
    },
  })
  state(): void {
    // The channel as it is.
  }

  // @ts-expect-error a state is of a request of that type
  @SseChannel<AppRequest>('news', { snapshot: (_channel, request) => request.account })
  stateless(): void {
    // Never reached.
  }

  @Sse('changing')
  @SseChannel<AppRequest>(async ({ user }) => levels.pipe(map((level) => [`${user.id}:${level}`])))
  changing(): void {
    // The channels as they are.
  }

  // @ts-expect-error a channel is named by a text
  @SseChannel(() => levels)
  numbered(): void {
    // Never reached.
  }

  // @ts-expect-error a permission is a boolean
  @SseChannel('news', { authorize: () => 'yes' })
  permissive(): void {
    // Never reached.
  }

  // @ts-expect-error a request of that type has no account
  @SseChannel<AppRequest>((request) => request.account)
  wrong(): void {
    // Never reached.
  }
}

// The module.
@Module({ imports: [SseModule.forRoot()] })
export class Plain {}
@Injectable()
export class Config implements Pick<SseModuleOptions, 'redis'> {
  readonly redis = 'redis://localhost';
}
@Module({
  imports: [
    SseModule.forRootAsync({
      inject: [Config],
      useFactory: (config: Config): SseModuleOptions => ({ redis: config.redis, broker: 'redis' }),
    }),
    SseModule.forRootAsync({
      useFactory: async () => ({ heartbeat: 10_000, limits: { connections: 5 } }),
    }),
  ],
})
export class Asynchronous {}
// @ts-expect-error there is no such option
SseModule.forRoot({ heartBeat: 1 });
// @ts-expect-error milliseconds are a number
SseModule.forRoot({ heartbeat: '15s' });

// Sources and brokers of the application's.
export const source: ChannelSource = {
  open: (_channel, sink) => {
    sink.live();
    same<string, ReturnType<typeof sink.append>>(true);
    // @ts-expect-error data is text by then
    sink.append({ data: { level: 1 } });
    return { close: () => undefined };
  },
};
export const broker: Broker = {
  ...source,
  publish: async (_channel, { data }) => data,
};

// The parameters of a channel are those of its template.
const seat = channelParams('hall:{hall}/{seat}', 'hall:main/A1');
same<typeof seat, { readonly hall: string; readonly seat: string } | undefined>(true);
// @ts-expect-error the template has no such placeholder
export const row = seat?.row;
declare const anyTemplate: string;
const anyParams = channelParams(anyTemplate, 'hall:main');
same<typeof anyParams, Readonly<Record<string, string>> | undefined>(true);

// The events of the module, in a page.
declare function on<Type extends keyof SseEventMap>(
  type: Type,
  listener: (data: SseEventMap[Type]) => void,
): void;
on('sse:open', (open) => same<typeof open, SseOpen>(true));
on('sse:channels', ({ channels, labels }) => {
  same<typeof channels, readonly string[]>(true);
  same<typeof labels, Readonly<Record<string, string>>>(true);
});
on('sse:denied', ({ channels }) => same<typeof channels, readonly string[]>(true));
on('sse:reset', ({ reason }) => same<typeof reason, ResetReason>(true));
on('sse:snapshot', ({ state }) => same<typeof state, unknown>(true));
on('sse:join', ({ id, info }) => same<[typeof id, typeof info], [string, unknown]>(true));
on('sse:end', ({ reason }) => same<typeof reason, 'revoked' | 'expired'>(true));
on('sse:leave', (leave) => same<typeof leave, SseJoin>(true));
same<SseSnapshot<Notice>['state'], Notice>(true);
same<SseJoin<Notice>['info'], Notice | undefined>(true);
// @ts-expect-error no event of the module
on('sse:opened', () => undefined);

// Errors.
export function codeOf(error: unknown): SseErrorCode | undefined {
  return error instanceof SseError ? error.code : undefined;
}

// Who is present.
export const members: Promise<readonly SseMember[]> = sse
  .presence('room', { after: 'ann', limit: 10 })
  .then((presence) => presence.members);
export const counts: Observable<number> = sse.presence$('room').pipe(map((now) => now.connections));
same<Awaited<ReturnType<SseService['presence']>>, SsePresence>(true);
same<SseMember['info'], unknown>(true);
// @ts-expect-error the numbers alone
export const stats: Promise<SsePresence> = sse.presenceStats('room');
SseChannel('room', { presence: true });
SseChannel('room', { presence: 'events' });
// @ts-expect-error true, false or 'events'
SseChannel('room', { presence: 'all' });

// A run takes what streams, and gives what can be returned from a handler.
async function* tokens(signal?: AbortSignal): AsyncGenerator<string> {
  yield signal?.aborted ? '' : 'token';
}
export const run: Promise<SseRun> = sse.run('chat:1', (signal) => tokens(signal), {
  format: 'text',
  replace: true,
  errorMessage: (error) => String(error),
});
void sse.run('chat:1', tokens());
void sse.run('chat:1', fetch('http://localhost'));
void sse.run('chat:1', new ReadableStream<Uint8Array>());
void sse.run('chat:1', async () => sse.stream('news'));
export const reasons = run.then(({ done }) => done).then((end: SseRunEnd) => end.reason);
export const stopped: Promise<boolean> = sse.stop('chat:1', { reason: 'enough' });
same<SseEventMap['sse:error']['reason'], 'error' | 'lost' | 'limit' | 'shutdown'>(true);
// @ts-expect-error a source streams
void sse.run('chat:1', 5);
// @ts-expect-error there is no such format
void sse.run('chat:1', tokens(), { format: 'xml' });
SseModule.forRoot({ runs: { lease: 5_000, active: 100 } });
SseChannel('chat:{id}', { run: true });
