import { Controller, Get, Header, Inject, Sse } from '@nestjs/common';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  isReset,
  SSE_METRICS_TYPE,
  SseChannel,
  SseError,
  SseService,
  type Broker,
  type ChannelSink,
  type OutgoingEvent,
  type ResetReason,
  type SseClosed,
  type SseErrorCode,
} from '../../lib/index.js';
import { INSTRUMENTS } from '../../lib/metrics/instruments.js';
import { prometheusName } from '../../lib/metrics/prometheus.js';
import { byUser, RoomsController } from '../connections/rooms.js';
import { RawClient } from '../support/raw-client.js';
import { ADAPTERS, closeApps, startApp, type TestApp } from '../support/start-app.js';
import { until } from '../support/until.js';
import { parseExposition, valueOf } from './exposition.js';

/** What no name of a metric or label may ever carry. */
const HOSTILE = ['a"b', 'a\\b', 'a\nb', 'a{b="c"}', '# HELP x', 'é😀', '__proto__', 'constructor'];

@Controller()
class ScrapedController {
  @Inject() private readonly sse!: SseService;

  @Get('metrics')
  @Header('content-type', SSE_METRICS_TYPE)
  metrics(): string {
    return this.sse.metrics();
  }
}

const raws: RawClient[] = [];

afterEach(async () => {
  raws.splice(0).forEach((client) => client.destroy());
  await closeApps();
});

const start = (options: Parameters<typeof startApp>[0] = {}) =>
  startApp({ controllers: [RoomsController, ScrapedController], ...options });

const read = (app: TestApp, name: string, labels?: Record<string, string>) =>
  valueOf(app.sse.metrics(), name, labels);

const isNamed = (name: string) => prometheusName(INSTRUMENTS.find((each) => each.name === name)!);

describe.each(ADAPTERS)('sse.metrics() on %s', (adapter) => {
  it('counts connections, and what they receive to the byte', async () => {
    const app = await start({ adapter, options: { client: byUser } });
    const closed: SseClosed[] = [];
    app.sse.connections$.subscribe((event) => event.type === 'closed' && closed.push(event));
    const clients = await Promise.all(
      ['a', 'a', 'b'].map((room) => app.connect(`/rooms/${room}`, { headers: { 'x-user': room } })),
    );
    for (let n = 0; n < 10; n++) {
      await app.sse.send('a', `é${n}`);
    }
    await app.sse.send('b', 'x');
    await clients[0]!.take(10);
    await clients[1]!.take(10);
    await clients[2]!.take(1);
    expect(read(app, 'sse_connection_active')).toBe(3);
    expect(read(app, 'sse_connection_opened_total')).toBe(3);
    expect(read(app, 'sse_channel_active')).toBe(2);
    expect(read(app, 'sse_channel_readers')).toBe(3);
    expect(read(app, 'sse_channel_retained_events')).toBe(11);
    expect(read(app, 'sse_received_events_total', { sse_source: 'memory' })).toBe(11);
    expect(read(app, 'sse_received_size_bytes_total', { sse_source: 'memory' })).toBe(31);
    expect(read(app, 'sse_publish_duration_seconds_count')).toBe(11);

    await app.sse.disconnect({ client: 'b' });
    await clients[0]!.close();
    await clients[1]!.close();
    await until(() => closed.length === 3);
    const sum = (of: (event: SseClosed) => number) => closed.reduce((n, event) => n + of(event), 0);
    expect(read(app, 'sse_sent_events_total')).toBe(sum(({ events }) => events));
    expect(read(app, 'sse_sent_size_bytes_total')).toBe(sum(({ bytes }) => bytes));
    expect(read(app, 'sse_connection_active')).toBe(0);
    const ended = (reason: string) =>
      read(app, 'sse_connection_ended_total', { sse_connection_end_reason: reason });
    expect([ended('revoked'), ended('client-left'), ended('stalled')]).toEqual([1, 2, 0]);
    expect(read(app, 'sse_connection_duration_seconds_count')).toBe(3);
  });

  it('is what an endpoint answers Prometheus, under its content type', async () => {
    const app = await start({ adapter });
    const response = await fetch(`${app.url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(parseExposition(await response.text()).get('sse_connection_active')?.type).toBe('gauge');
  });

  it('counts clients that a limit keeps out, by reason', async () => {
    const app = await start({
      adapter,
      options: { client: byUser, limits: { connections: 2, connectionsPerClient: 1 } },
    });
    const knock = async (user: string) => {
      const response = await fetch(`${app.url}/rooms/a`, { headers: { 'x-user': user } });
      await response.text();
    };
    await app.connect('/rooms/a', { headers: { 'x-user': 'one' } });
    await app.connect('/rooms/a', { headers: { 'x-user': 'two' } });
    // Each of these is answered, and told to come later or not at all.
    await Promise.all(['one', 'three', 'four'].map(knock));
    const refused = (reason: string) =>
      read(app, 'sse_connection_refused_total', { sse_connection_refusal: reason });
    expect([refused('client-limit'), refused('capacity'), refused('closing')]).toEqual([1, 2, 0]);
  });

  it('shows clients that do not read, how long, and how far they are behind', async () => {
    const app = await start({ adapter, options: { heartbeat: 0, stallTimeout: 0 } });
    const client = (await RawClient.get(app.url, '/rooms/a')).stall();
    raws.push(client);
    await until(() => app.sse.stats().readers === 1);
    expect(read(app, 'sse_connection_slow')).toBe(0);
    for (let n = 0; read(app, 'sse_connection_slow') === 0 && n < 20_000; n++) {
      await app.sse.send('a', 'x'.repeat(10_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(read(app, 'sse_connection_slow')).toBe(1);
    await app.sse.send('a', 'one more');
    expect(read(app, 'sse_connection_backlog')).toBeGreaterThan(0);
    await until(() => read(app, 'sse_connection_lag_seconds') > 0.05);
    client.read().socket.resume();
    await until(() => read(app, 'sse_connection_slow') === 0);
    expect(read(app, 'sse_connection_lag_seconds')).toBe(0);
    expect(read(app, 'sse_connection_backlog')).toBe(0);
  });
});

describe('What sse.metrics() counts', () => {
  it('has resets of readers and of channels, by reason', async () => {
    const sinks: ChannelSink[] = [];
    const source = {
      open: (_: string, sink: ChannelSink) => {
        sinks.push(sink);
        sink.live();
        return { close: () => undefined };
      },
    };
    @Controller()
    class SourceController {
      @Sse('source')
      @SseChannel('s', { source })
      events() {}
    }
    const app = await start({ controllers: [SourceController, RoomsController] });
    const client = await app.connect('/source');
    sinks[0]!.reset('failover');
    sinks[0]!.reset('no reason' as ResetReason);
    await client.take(2);
    const returned = await app.connect('/rooms/a', { headers: { 'last-event-id': 'nowhere' } });
    expect((await returned.take(1)).every(isReset)).toBe(true);
    const resets = (scope: string, reason: string) =>
      read(app, 'sse_resets_total', { sse_reset_scope: scope, sse_reset_reason: reason });
    expect(resets('channel', 'failover')).toBe(1);
    expect(resets('reader', 'unknown-position')).toBe(1);
    expect(read(app, 'sse_resets_total')).toBe(2);
  });

  it('has polls, and outages with their length; one that nobody waits for any more is over', async () => {
    const app = await start({ options: { linger: 0 } });
    let isAway = false;
    const values = app.sse.poll(() => (isAway ? Promise.reject(new Error('away')) : 'value'), {
      interval: 1,
    });
    const seen: unknown[] = [];
    const subscription = values.subscribe((event) => seen.push(event));
    const active = () => read(app, 'sse_outage_active', { sse_outage_system: 'poll' });
    const lasted = () =>
      read(app, 'sse_outage_duration_seconds_count', { sse_outage_system: 'poll' });
    await until(() => seen.length > 0);
    isAway = true;
    await until(() => active() === 1);
    expect(lasted()).toBe(0);
    isAway = false;
    await until(() => active() === 0);
    expect(lasted()).toBe(1);
    isAway = true;
    await until(() => active() === 1);
    subscription.unsubscribe();
    await until(() => active() === 0);
    expect(lasted()).toBe(2);
    expect(read(app, 'sse_polls_total', { sse_source: 'poll' })).toBeGreaterThan(2);
    expect(read(app, 'sse_poll_failures_total', { sse_source: 'poll' })).toBeGreaterThanOrEqual(2);
  });

  it('has calls that fail by their code, runs by their end, and channels over the limit', async () => {
    const app = await start({ options: { limits: { channels: 1 } } });
    await app.connect('/rooms/a');
    await expect(app.sse.send('b', 'x')).rejects.toThrow('channels are in use');
    await expect(app.sse.send('', 'x')).rejects.toThrow(SseError);
    await expect(app.sse.notify('b', 'x')).rejects.toThrow(SseError);
    await app.sse.sendKey('b', 'x');
    const calls = (labels: Record<string, string>) =>
      read(app, 'sse_publish_duration_seconds_count', labels);
    expect(calls({ sse_publish_operation: 'send', error_type: 'LIMIT_REACHED' })).toBe(1);
    expect(calls({ sse_publish_operation: 'send', error_type: 'INVALID_CHANNEL' })).toBe(1);
    expect(calls({ sse_publish_operation: 'notify', error_type: 'NOT_CONFIGURED' })).toBe(1);
    expect(calls({ sse_publish_operation: 'sendKey', sse_publish_target: 'memory' })).toBe(1);
    expect(read(app, 'sse_channel_refused_total')).toBe(1);
    const run = await app.sse.run('a', async function* () {
      yield 'one';
    });
    await run.done;
    await until(() => read(app, 'sse_run_active') === 0);
    expect(read(app, 'sse_run_duration_seconds_count', { sse_run_end_reason: 'completed' })).toBe(
      1,
    );
  });

  it('is of one application, where there are two in a process', async () => {
    const [one, two] = [await start(), await start()];
    await one.sse.send('a', 'x');
    await one.connect('/rooms/a');
    expect(read(one, 'sse_received_events_total')).toBe(1);
    expect(read(two, 'sse_received_events_total')).toBe(0);
    expect(read(two, 'sse_connection_opened_total')).toBe(0);
  });
});

describe('Names and labels of metrics', () => {
  /** All series of a text, each without its value. */
  const seriesOf = (text: string): Set<string> =>
    new Set(
      text
        .trimEnd()
        .split('\n')
        .filter((line) => !line.startsWith('#'))
        .map((line) => line.slice(0, line.lastIndexOf(' '))),
    );

  it('do not grow by what clients, channels, data or the application’s own systems say', async () => {
    const failing = { code: '' };
    const broker: Broker = {
      open: (_, sink) => {
        sink.live();
        HOSTILE.forEach((text) => sink.reset(text as ResetReason));
        return { close: () => undefined };
      },
      publish: (_: string, event: OutgoingEvent) =>
        event.data === 'fail'
          ? Promise.reject(new SseError(failing.code as SseErrorCode, 'no'))
          : Promise.resolve('1-1'),
    };
    const app = await start({ options: { broker, client: byUser } });
    await expect(app.sse.send('a', 'fail')).rejects.toThrow('no');
    await expect(app.sse.send('', 'x')).rejects.toThrow(SseError);
    await app.sse.send('a', 'x');
    await (await app.connect('/rooms/a')).close();
    await until(() => read(app, 'sse_connection_active') === 0);
    const before = seriesOf(app.sse.metrics());
    for (const text of HOSTILE) {
      failing.code = text;
      await expect(app.sse.send('a', 'fail')).rejects.toThrow('no');
      await Promise.allSettled([app.sse.send(text, text), app.sse.disconnect({ channel: text })]);
      const path = `/rooms/${encodeURIComponent(text)}`;
      const headers = {
        'x-user': encodeURIComponent(text),
        'last-event-id': encodeURIComponent(text),
      };
      const client = await app.connect(path, { headers }).catch(() => undefined);
      await client?.close();
    }
    // And the one before.
    expect(read(app, 'sse_connection_opened_total')).toBe(1 + HOSTILE.length);
    await until(() => read(app, 'sse_connection_active') === 0);
    const added = [...seriesOf(app.sse.metrics())].filter((line) => !before.has(line));
    expect(added).toEqual([]);
  });

  it('are those that are declared, each with one of its values', async () => {
    const app = await start();
    await app.sse.send('a', 'x');
    const declared = new Map(INSTRUMENTS.map((each) => [prometheusName(each), each]));
    for (const [name, { type, help, samples }] of parseExposition(app.sse.metrics())) {
      const instrument = declared.get(name)!;
      expect(help).toBe(instrument.help);
      expect(type).toBe(instrument.kind === 'updowncounter' ? 'gauge' : instrument.kind);
      const allowed = new Map(
        Object.entries(instrument.labels).map(([label, values]) => [
          label.replaceAll('.', '_'),
          values,
        ]),
      );
      for (const { labels } of samples) {
        for (const [label, value] of Object.entries(labels)) {
          expect(label === 'le' ? [value] : allowed.get(label)).toContain(value);
        }
      }
    }
  });

  it('follow the conventions of OpenTelemetry', () => {
    const names = INSTRUMENTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, unit, labels } of INSTRUMENTS) {
      expect(name).toMatch(/^sse(\.[a-z]+(_[a-z]+)*)+$/);
      expect(unit).toMatch(/^(s|By|\{[a-z]+\})$/);
      // A name is no namespace of another one.
      expect(names.filter((other) => other.startsWith(`${name}.`))).toEqual([]);
      Object.keys(labels).forEach((label) => expect(label).toMatch(/^(sse|error)\.[a-z_.]+$/));
    }
    expect(isNamed('sse.connection.duration')).toBe('sse_connection_duration_seconds');
    expect(isNamed('sse.sent.size')).toBe('sse_sent_size_bytes_total');
    expect(isNamed('sse.resets')).toBe('sse_resets_total');
    expect(isNamed('sse.connection.active')).toBe('sse_connection_active');
  });
});
