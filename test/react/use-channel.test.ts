import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Sse } from '@nestjs/common';
import type { FunctionComponent, ReactNode } from 'react';
import type { ClientEvent, SseClient } from '../../lib/client/index.js';
import { SseChannel } from '../../lib/index.js';
import type { ChannelOptions, ChannelView } from '../../lib/react/index.js';
import { defineChannel, unchecked } from '../../lib/typed/index.js';
import { ClientRig } from '../client/client-rig.js';
import { until } from '../support/until.js';
import { loadReact, Stage, type ReactVersion } from './react-rig.js';

const Job = defineChannel('job:{id}', {
  progress: unchecked<{ percent: number }>(),
  failed: unchecked<{ why: string }>(),
});

@Controller()
class OrdersController {
  @Sse('orders')
  @SseChannel('orders', { snapshot: () => ['tea'] })
  orders() {}
}

const rig = new ClientRig();

describe.each([18, 19] as const)('useChannel() with React %d', (major) => {
  let react: ReactVersion;
  let client: SseClient;
  let stage: Stage;
  /** What the components have rendered, in order. */
  let views: ChannelView<ClientEvent, unknown>[];

  /** Shows the status of a channel, the data of its events, and its reset. */
  const Channel: FunctionComponent<{
    name: string;
    options?: ChannelOptions<ClientEvent, string>;
  }> = ({ name, options }) => {
    const view = react.useChannel(name, options);
    views.push(view);
    const { status, events, reset } = view;
    return [status, ...events.map(({ data }) => data), reset?.data.reason].join(' ').trim();
  };
  /** Shows the state that a component has made of a channel. */
  const State: FunctionComponent<{
    name: string;
    options: ChannelOptions<ClientEvent, string>;
  }> = ({ name, options }) => react.useChannel(name, options).state;
  const JobProgress: FunctionComponent<{ id: number }> = ({ id }) => {
    const { event } = react.useChannel(Job, { id });
    if (!event) return `job ${id}`;
    return event.type === 'progress' ? `${id}: ${event.data.percent} %` : event.data.why;
  };
  const Status: FunctionComponent = () => react.useSseStatus();

  function within(...children: ReactNode[]): ReactNode {
    return react.createElement(react.SseClientProvider, { client }, ...children);
  }
  function strictly(...children: ReactNode[]): ReactNode {
    return react.createElement(react.StrictMode, null, within(...children));
  }
  function channel(name: string, options: ChannelOptions<ClientEvent, string> = {}): ReactNode {
    return react.createElement(Channel, { name, options });
  }
  const send = (name: string, ...all: unknown[]) =>
    rig.app.sse.sendAll(all.map((data) => ({ channel: name, data })));

  beforeAll(async () => {
    react = await loadReact(major);
  });
  beforeEach(async () => {
    await rig.start({ controllers: [OrdersController] });
    client = rig.client();
    stage = new Stage(react);
    views = [];
  });
  afterEach(async () => {
    await stage.close();
    await rig.close();
    expect(stage.complaints).toEqual([]);
  });

  it('shows the newest events, in order, as many as it keeps', async () => {
    stage.render(within(channel('news', { keep: 3 })));
    await stage.shows('open');
    await send('news', 'a', 'b');
    await stage.shows('open a b');
    await send('news', 'c', 'd');
    await stage.shows('open b c d');
    expect(views[0]).toEqual({
      event: undefined,
      events: [],
      state: undefined,
      status: 'connecting',
      error: undefined,
      reset: undefined,
    });
    expect(views.at(-1)!.event).toMatchObject({ channel: 'news', type: 'message', data: 'd' });
  });

  it('renders once for what comes at once, and calls the functions for each', async () => {
    const heard: unknown[] = [];
    const options = {
      initial: '',
      reduce: (state: string, { data }: { data: unknown }) => `${state}${String(data)} `,
      onEvent: ({ data }: { data: unknown }) => heard.push(data),
      keep: 0,
    };
    stage.render(within(channel('news', options)));
    await stage.shows('open');
    const before = views.length;
    const numbers = Array.from({ length: 500 }, (_, n) => String(n));
    await send('news', ...numbers);
    await until(() => heard.length >= 500);
    await until(() => views.at(-1)!.state === numbers.map((n) => `${n} `).join(''));
    expect(heard).toEqual(numbers);
    expect(views.at(-1)!.events).toEqual([]);
    expect(views.length - before).toBeLessThan(250);
  });

  it('shares one connection and reads everything once in StrictMode', async () => {
    await send('news', 'earlier');
    stage.render(
      strictly(
        channel('news', { from: 'earliest' }),
        ' | ',
        channel('room'),
        ' | ',
        react.createElement(JobProgress, { id: 5 }),
      ),
    );
    await stage.shows('open earlier | open | job 5');
    expect(rig.app.sse.stats()).toMatchObject({ connections: 1 });
    await send('news', 'later');
    await rig.app.sse.to(Job, { id: 5 }).send('progress', { percent: 40 });
    await send('room', 'hello');
    await stage.shows('open earlier later | open hello | 5: 40 %');
  });

  it('begins anew with other params, and reads the old channel no more', async () => {
    stage.render(strictly(react.createElement(JobProgress, { id: 1 }), ' ', channel('1')));
    await stage.shows('job 1 open');
    await rig.app.sse.to(Job, { id: 1 }).send('progress', { percent: 10 });
    await stage.shows('1: 10 % open');
    stage.render(strictly(react.createElement(JobProgress, { id: 2 }), ' ', channel('2')));
    await stage.shows('job 2 open');
    await rig.app.sse.to(Job, { id: 1 }).send('progress', { percent: 20 });
    await rig.app.sse.to(Job, { id: 2 }).send('failed', { why: 'no paper' });
    await send('1', 'old');
    await send('2', 'new');
    await stage.shows('no paper open new');
    await rig.streams(1);
  });

  it('ends the connection with the last component, and begins anew with the next', async () => {
    stage.render(within(channel('news'), ' | ', channel('news')));
    await stage.shows('open | open');
    await send('news', 'a');
    await stage.shows('open a | open a');
    stage.render(within(channel('news')));
    await stage.shows('open a');
    await rig.streams(1);
    stage.unmount();
    await rig.streams(0);
    await send('news', 'unseen');
    stage.render(within(channel('news')));
    await stage.shows('open');
    await send('news', 'b');
    await stage.shows('open b');
  });

  it('is rendered by a server, which subscribes to nothing, and taken over in the page', async () => {
    const element = strictly(
      channel('news'),
      ' | ',
      react.createElement(State, {
        name: 'news',
        options: { initial: 'none', reduce: (_, { data }) => String(data) },
      }),
      ' | ',
      react.createElement(Status),
    );
    const html = react.renderToString(element);
    expect(html.replaceAll('<!-- -->', '')).toBe('connecting | none | closed');
    expect(client.status).toBe('closed');
    stage.hydrate(html, element);
    await stage.shows('open | none | open');
    await send('news', 'a');
    await stage.shows('open a | a | open');
  });

  it('tells how the channel ends, and that the server is away', async () => {
    stage.render(within(channel('news'), ' | ', channel('secret'), ' | ', channel('run')));
    await stage.shows('open | denied | open');
    await rig.app.sse.complete('run');
    await stage.shows('open | denied | ended');
    rig.proxy.refuse();
    rig.proxy.cut();
    await stage.shows('waiting | denied | ended');
    expect(views.findLast(({ status }) => status === 'waiting')!.error).toBeInstanceOf(Error);
    await send('news', 'missed');
    rig.proxy.accept();
    await stage.shows('open missed | denied | ended');
    expect(views.findLast(({ status }) => status === 'open')!.error).toBeUndefined();
    client.close();
    await stage.shows('closed missed | denied | ended');
  });

  it('tells that a channel is not to be had while the others go on', async () => {
    stage.render(within(channel('news')));
    await stage.shows('open');
    rig.proxy.refuse();
    stage.render(within(channel('news'), ' | ', channel('late')));
    await stage.shows('open | waiting');
    const late = views.findLast(({ status }) => status === 'waiting')!;
    expect(late.error).toMatchObject({ isFinal: false });
    expect(views.findLast(({ status }) => status === 'open')!.error).toBeUndefined();
    rig.proxy.accept();
    await stage.shows('open | open');
    expect(views.at(-1)!.error).toBeUndefined();
  });

  it('tells a reset, and gives it to the reducer', async () => {
    const options: ChannelOptions<ClientEvent, string> = {
      from: 'no-such-position',
      initial: 'begun',
      reduce: (state, { type, data }) => `${state} ${type === 'sse:reset' ? 'reset' : data}`,
    };
    stage.render(within(channel('news', options)));
    await stage.shows('open unknown-position');
    expect(views.at(-1)!.state).toBe('begun reset');
    await send('news', 'a');
    await stage.shows('open a unknown-position');
    expect(views.at(-1)!.state).toBe('begun reset a');
  });

  it('gives the snapshot of the server to the reducer, of a definition as well', async () => {
    const Orders = defineChannel('orders', { message: unchecked<string>() });
    const List: FunctionComponent = () => {
      const { state, events } = react.useChannel(Orders, {
        initial: ['nothing'],
        reduce: (orders, event) => {
          if (event.type === 'sse:snapshot') return event.data.state as string[];
          return event.type === 'message' ? [...orders, event.data] : orders;
        },
      });
      return `${state.join(', ')} (${events.length})`;
    };
    client = rig.client({}, '/orders');
    stage.render(strictly(react.createElement(List)));
    await stage.shows('tea (0)');
    await send('orders', 'milk');
    await stage.shows('tea, milk (1)');
  });

  it('reports an error of a reducer, and goes on', async () => {
    const reported: unknown[] = [];
    Object.assign(globalThis, { reportError: (error: unknown) => reported.push(error) });
    try {
      const options: ChannelOptions<ClientEvent, string> = {
        initial: '',
        reduce(_, { data }) {
          if (data === 'bad') throw new Error('It does not reduce.');
          return String(data);
        },
      };
      stage.render(within(channel('news', options)));
      await stage.shows('open');
      await send('news', 'bad', 'good');
      await stage.shows('open bad good');
      expect(views.at(-1)!.state).toBe('good');
      expect(reported).toEqual([new Error('It does not reduce.')]);
    } finally {
      Reflect.deleteProperty(globalThis, 'reportError');
    }
  });

  it('subscribes while it is enabled', async () => {
    const Maybe: FunctionComponent<{ id?: number }> = ({ id }) => {
      const { status } = react.useChannel(Job, { id: id ?? '' }, { enabled: id !== undefined });
      return status;
    };
    stage.render(within(react.createElement(Maybe)));
    await stage.shows('closed');
    expect(client.status).toBe('closed');
    stage.render(within(react.createElement(Maybe, { id: 3 })));
    await stage.shows('open');
    stage.render(within(react.createElement(Maybe)));
    await stage.shows('closed');
    await rig.streams(0);
  });

  it('has failed where the client cannot subscribe', async () => {
    stage.render(within(channel('news')));
    await stage.shows('open');
    stage.render(within(channel('news'), ' | ', channel('news', { from: 'earliest' })));
    await stage.shows('open | failed');
    expect(views.findLast(({ status }) => status === 'failed')!.error!.message).toContain(
      '"news" is subscribed already',
    );
    client = rig.client({}, '/no-such-path');
    stage.render(within(channel('news'), ' | ', channel('room')));
    await stage.shows('failed | failed');
    expect(views.at(-1)!.error!.message).toBe('The answer is 404.');
    client.close();
    stage.render(within(channel('other'), ' | ', channel('another')));
    await until(() => views.at(-1)!.error?.message === 'The client is closed. Make a new one.');
  });

  it('needs a provider', () => {
    expect(() => react.renderToString(channel('news'))).toThrow(
      'There is no client. Put an <SseClientProvider> above.',
    );
  });
});
