import { Controller, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import { map, type Observable } from 'rxjs';
import { SseChannel, SseEvents, SseService, type SseEvent } from '../../lib/index.js';
import { ADAPTERS, closeApps, startApp } from '../support/start-app.js';

interface NamingRequest {
  readonly query: { readonly channels: string };
}

const named = ({ query }: NamingRequest) => query.channels.split(',');

@Controller()
class ChangingController {
  constructor(private readonly sse: SseService) {}

  @Sse('channels')
  @SseChannel(named)
  channels() {}

  @Sse('handled')
  @SseChannel(named)
  handled(@SseEvents() events$: Observable<SseEvent>) {
    return events$.pipe(map((event) => event));
  }

  @Sse('one')
  @SseChannel('a')
  one() {}

  @Sse('service')
  @SseChannel()
  service() {
    return this.sse.stream(['a']);
  }
}

const labelsOf = (data: string) => (JSON.parse(data) as { labels: Record<string, string> }).labels;

describe.each(ADAPTERS)(
  'When the set of channels changes between two connections, on %s',
  (adapter) => {
    afterEach(closeApps);

    const start = () => startApp({ adapter, controllers: [ChangingController] });

    describe.each(['/channels', '/handled'])('at %s', (path) => {
      it.each([
        ['a,b', 'a'],
        ['a', 'a,b'],
        ['a,b', 'a,c'],
        ['a,b,c', 'c,a'],
        ['a', 'b,a,c'],
      ])(
        'a client that goes from %s to %s resumes the channels that remain, and starts the new ones live',
        async (from, to) => {
          const { connect, sse } = await start();
          for (const channel of ['a', 'b', 'c']) {
            await sse.send(channel, `${channel} before`);
          }
          const client = await connect(`${path}?channels=${from}`);
          await sse.send('a', 'a seen');
          await client.next();
          await client.close();
          const sent: string[] = [];
          for (const channel of ['a', 'b', 'c', 'a']) {
            const data = `${channel} missed ${sent.length}`;
            await sse.send(channel, data);
            sent.push(data);
          }
          const stayed = new Set(
            from.split(',').filter((channel) => to.split(',').includes(channel)),
          );
          const again = await connect(`${path}?channels=${to}`, {
            lastEventId: client.lastEventId,
          });
          const owed = sent.filter((data) => stayed.has(data[0]!));
          expect((await again.take(owed.length)).map(({ data }) => data)).toEqual(owed);
          for (const channel of to.split(',')) {
            await sse.send(channel, `${channel} live`);
            expect((await again.next()).data).toBe(`${channel} live`);
          }
          expect(again.events.map(({ type }) => type)).not.toContain('sse:reset');
        },
      );

      it('ids have labels also while the set has one channel', async () => {
        const { connect, sse } = await start();
        const client = await connect(`${path}?channels=a`);
        const labels = labelsOf(client.opening!.data);
        expect(Object.values(labels)).toEqual(['a']);
        await sse.send('a', 'event', { id: 'own' });
        const { id } = await client.next();
        expect(labels[id.split(':')[0]!]).toBe('a');
        // As a client of an earlier version has it, or one that was given the id of a send().
        await sse.send('a', 'missed');
        const byOwn = await connect(`${path}?channels=a`, { lastEventId: 'own' });
        expect((await byOwn.next()).data).toBe('missed');
      });

      it('a client gets a reset for each channel when no channel remains', async () => {
        const { connect } = await start();
        const client = await connect(`${path}?channels=a,b`);
        const again = await connect(`${path}?channels=c,d`, { lastEventId: client.lastEventId });
        const resets = await again.take(2);
        expect(resets.map(({ data }) => JSON.parse(data) as unknown)).toEqual(
          ['c', 'd'].map((channel) => ({ channel, reason: 'unknown-position' })),
        );
        // Until the last of them is told, the client keeps its id.
        expect(resets[0]!.frame.id).toBeUndefined();
        expect(resets[1]!.frame.id).toBeDefined();
      });
    });

    it('one of the two endpoints may have a fixed channel', async () => {
      const { connect, sse } = await start();
      const both = await connect('/channels?channels=a,b');
      const one = await connect('/one');
      expect(labelsOf(one.opening!.data)).toEqual({});
      await Promise.all([both.close(), one.close()]);
      await sse.send('a', 'missed');
      const fromSet = await connect('/one', { lastEventId: both.lastEventId });
      expect((await fromSet.next()).data).toBe('missed');
      const fromOne = await connect('/channels?channels=a', { lastEventId: one.lastEventId });
      expect((await fromOne.next()).data).toBe('missed');
      const byService = await connect('/service', { lastEventId: one.lastEventId });
      expect((await byService.next()).data).toBe('missed');
      expect(Object.values(labelsOf(byService.opening!.data))).toEqual(['a']);
    });
  },
);
