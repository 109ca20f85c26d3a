/*
 * What the compiler knows of typed channels: `npm run typecheck` fails for a line that does not
 * compile, and for an @ts-expect-error above a line that does. Nothing runs.
 */
import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { Sse } from '@nestjs/common';
import { filter, map, type Observable } from 'rxjs';
import {
  isReset,
  SseChannel,
  SseEvents,
  type SseEvent,
  type SseService,
  type StreamEventOf,
} from '../../lib/index.js';
import {
  defineChannel,
  unchecked,
  type ChannelDefinition,
  type DataOf,
  type DataToSend,
  type EventOf,
  type EventTypeOf,
  type ParamsOf,
} from '../../lib/typed/index.js';

/** True when both types are the same, `any` and `unknown` included. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_isSame: Same<A, B>): void => undefined;

const Job = defineChannel('job:{id}', {
  progress: z.object({ percent: z.number(), at: z.date().optional() }),
  failed: z.object({ why: z.string().default('unknown') }),
});
type Job = typeof Job;

same<EventTypeOf<Job>, 'progress' | 'failed'>(true);
same<ParamsOf<Job>, { readonly id: string | number }>(true);

// What is sent is what a schema takes; what is read is what it makes of that, behind JSON.
same<DataToSend<Job, 'failed'>, { why?: string | undefined }>(true);
same<DataOf<Job, 'failed'>, { why: string }>(true);
same<DataToSend<Job, 'progress'>, { percent: number; at?: Date | undefined }>(true);
same<DataOf<Job, 'progress'>, { percent: number; at?: string | undefined }>(true);

// The type of an event tells of what type its data is.
declare const event: EventOf<Job>;
same<typeof event.type, 'progress' | 'failed'>(true);
if (event.type === 'progress') {
  same<typeof event.data.percent, number>(true);
  // @ts-expect-error the data of another event
  void event.data.why;
}
// @ts-expect-error not all events have it
void event.data.percent;
// @ts-expect-error no event of this channel
void (event.type === 'done');
export const plain: SseEvent = event;

// An event without a type is `message`.
const Price = defineChannel('price', { message: unchecked<number>(), gone: unchecked<'yes'>() });
declare const price: EventOf<typeof Price>;
same<typeof price.type, 'message' | 'gone' | undefined>(true);
if (price.type === 'gone') {
  same<typeof price.data, 'yes'>(true);
} else {
  same<typeof price.data, `${number}`>(true);
}

// Other libraries, and types without a schema.
const Mixed = defineChannel('mixed:{tenant}/{id}', {
  valibot: v.object({ level: v.pipe(v.string(), v.transform(Number)) }),
  arktype: type({ 'name?': 'string' }),
  any: unchecked<unknown>(),
});
type Mixed = typeof Mixed;
same<ParamsOf<Mixed>, { readonly tenant: string | number; readonly id: string | number }>(true);
same<DataToSend<Mixed, 'valibot'>, { level: string }>(true);
same<DataOf<Mixed, 'valibot'>, { level: number }>(true);
same<DataToSend<Mixed, 'arktype'>, { name?: string }>(true);
same<DataOf<Mixed, 'any'>, unknown>(true);

// A channel is named by all placeholders of its template.
export const names: string[] = [Job.channel({ id: 42 }), Price.channel()];
// @ts-expect-error the template has a placeholder
Job.channel();
// @ts-expect-error it has no such placeholder
Job.channel({ id: 1, tenant: 'a' });
// @ts-expect-error a text or a number
Job.channel({ id: true });
// @ts-expect-error the template has none
Price.channel({ id: 1 });
same<ReturnType<Job['paramsOf']>, { readonly id: string } | undefined>(true);

// Any definition.
export const all: ChannelDefinition[] = [Job, Price, Mixed];
declare const some: ChannelDefinition;
same<EventTypeOf<typeof some>, string>(true);
some.channel({ id: 1 });
some.channel();

// @ts-expect-error a schema
defineChannel('job', { progress: { percent: 'number' } });
// @ts-expect-error the events
defineChannel('job');
// @ts-expect-error a definition is not changed
Job.template = 'job:{id}';

// Publishing: the type decides which data an event takes.
declare const sse: SseService;
const job = sse.to(Job, { id: 1 });
export const id: Promise<string> = job.send('progress', { percent: 1, at: new Date() });
void job.send('failed', {}, { idempotencyKey: 'k', retry: 1 });
void sse.to(Price).send('message', 5);
void job.sendAll([
  { type: 'progress', data: { percent: 1 } },
  { type: 'failed', data: { why: 'tired' }, id: 'mine' },
]);
// @ts-expect-error no event of this channel
void job.send('done', {});
// @ts-expect-error the data of another event
void job.send('progress', { why: 'tired' });
// @ts-expect-error a part is missing
void job.send('progress', {});
// @ts-expect-error a part is of another type
void job.send('progress', { percent: '1' });
// @ts-expect-error a part that no schema knows
void job.send('progress', { percent: 1, secret: 1 });
// @ts-expect-error the type is the first argument
void job.send('failed', {}, { type: 'progress' });
// @ts-expect-error the data of another event
void job.sendAll([{ type: 'progress', data: { why: 'tired' } }]);
// @ts-expect-error the channel is known
void job.sendAll([{ type: 'failed', data: {}, channel: 'job:2' }]);
// @ts-expect-error the template has a placeholder
sse.to(Job);
// @ts-expect-error the template has no such placeholder
sse.to(Job, { job: 1 });
// @ts-expect-error the template has none
sse.to(Price, { id: 1 });
// @ts-expect-error a definition
sse.to('job:1');
void sse.to(some, { id: 1 }).send('whatever', {});

// Reading: a stream has the events of the definition, and resets.
export class Controller {
  @Sse('jobs/:id')
  @SseChannel(Job, { source: 'cache', invalid: 'pass' })
  job(@SseEvents() events$: Observable<EventOf<Job>>) {
    return events$.pipe(filter((each) => each.type === 'failed' && each.data.why !== ''));
  }
}
const jobs = sse.streamOf(Job, { id: 1 }, { source: 'postgres', lastEventId: 'earliest' });
same<typeof jobs, Observable<StreamEventOf<Job>>>(true);
export const percents: Observable<number> = jobs.pipe(
  map((each) => {
    if (isReset(each)) {
      return each.data.reason === 'trimmed' ? 0 : 1;
    }
    return each.type === 'progress' ? each.data.percent : each.data.why.length;
  }),
);
void sse.streamOf(Price, { source: 'cache' });
void sse.streamOf(Price);
void sse.streamOf(some, { id: 1 });
// @ts-expect-error the template has a placeholder
void sse.streamOf(Job);
// @ts-expect-error the template has none
void sse.streamOf(Price, { id: 1 }, {});
// @ts-expect-error no such option
void sse.streamOf(Job, { id: 1 }, { invalid: 'drop' });
// @ts-expect-error a subscriber is never too slow
void sse.streamOf(Job, { id: 1 }, { overflow: 'reset' });
void job.sendKey('failed', { why: 'tired' });
// @ts-expect-error the data of another event
void job.sendKey('failed', { percent: 1 });

const polled = sse.pollOf(Job, 'failed', async () => ({ why: 'tired' }), { interval: 10 });
export const reasons: Observable<string> = polled.pipe(map(({ data }) => data.why));
void sse.pollOf(Price, 'message', () => null);
// @ts-expect-error the data of another event
void sse.pollOf(Job, 'failed', () => ({ percent: 1 }));
// @ts-expect-error the definition decides
void sse.pollOf(Job, 'failed', () => null, { type: 'progress' });
