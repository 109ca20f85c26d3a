import { afterEach, expect, it } from '@jest/globals';
import { concat, config, of, share, type Observable } from 'rxjs';
import { closeApps, startApp } from '../support/start-app.js';
import { until } from '../support/until.js';

const unhandled: string[] = [];
config.onUnhandledError = (error: Error) => void unhandled.push(error.message);

afterEach(async () => {
  unhandled.length = 0;
  await closeApps();
});

const subscribe = (source: Observable<unknown>) => {
  const seen: unknown[] = [];
  source.subscribe((event) => {
    seen.push(event);
    throw new Error('not this one');
  });
  return seen;
};

it('RxJS itself reports what a subscriber behind share() throws, for any Observable', async () => {
  const seen = subscribe(concat(of(1, 2)).pipe(share()));
  await until(() => seen.length === 2);
  await until(() => unhandled.length === 2);

  const { sse } = await startApp({});
  const events = subscribe(concat(sse.stream('news')).pipe(share()));
  await sse.send('news', 'one');
  await sse.send('news', 'two');
  await until(() => events.length === 2);
  await until(() => unhandled.length === 4);
});

it('Our log reports what a subscriber behind other operators throws, and RxJS does not', async () => {
  const errors: unknown[] = [];
  const nothing = (): void => undefined;
  const logger = { log: nothing, warn: nothing, error: (text: unknown) => errors.push(text) };
  const { sse } = await startApp({ logger });
  const events = subscribe(concat(sse.stream('news')));
  await sse.send('news', 'one');
  await sse.send('news', 'two');
  await until(() => events.length === 2);
  expect(errors).toContainEqual(expect.stringContaining('not this one'));
  expect(unhandled).toEqual([]);
});
