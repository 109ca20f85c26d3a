import {
  HttpStatus,
  Inject,
  Injectable,
  NotFoundException,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { Channel } from '../channel/channel.js';
import type { ChannelRegistry } from '../channel/channel-registry.js';
import { shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { FrameworkRequest } from '../endpoint/framework-request.js';
import { Metrics } from '../metrics/metrics.js';
import { remarkOnCopies } from '../setup/copies.js';
import { historyOf } from './channel-history.js';
import { CHANNEL_SORTS, ChannelList, pageWish } from './channel-list.js';
import { CONNECTION_SORTS, ConnectionList } from './connection-list.js';
import type { ChannelRow, ConnectionRow, Page } from './contract.js';
import { Follow } from './follow.js';
import type { InspectorSettings } from './inspector.options.js';
import { Live, type NamedEvent } from './live.js';
import { PacedWork } from './paced-work.js';
import { answer, RequestQuery } from './request-query.js';
import { SendForm } from './send-form.js';

/** Injection token of the module's options, checked and complete. */
export const SSE_INSPECTOR_SETTINGS = Symbol('SSE_INSPECTOR_SETTINGS');

/** Answers the requests of the page. Nothing runs before there is one. */
@Injectable()
export class Inspector implements OnModuleInit {
  private live!: Live;
  private channelList!: ChannelList;
  private connectionList!: ConnectionList;
  private registry!: ChannelRegistry;
  private followers!: Follow;
  /** Unset without the option `send`. */
  private form: SendForm | undefined;

  constructor(
    @Inject(SSE_INSPECTOR_SETTINGS) readonly settings: InspectorSettings,
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
  ) {}

  /** @throws SseError `NOT_CONFIGURED` */
  onModuleInit(): void {
    const metrics = this.metrics();
    const { delivery } = metrics;
    const work = new PacedWork();
    this.live = new Live(metrics, this.settings);
    this.channelList = new ChannelList(delivery, this.live.rates, work);
    this.registry = delivery.channels;
    this.followers = new Follow(this.registry, this.settings.showData, delivery.detach);
    this.form = this.settings.send ? new SendForm(this.moduleRef) : undefined;
    this.connectionList = new ConnectionList(delivery, this.settings.showData, work);
  }

  /** @throws HttpException 503 when too many pages are open */
  overviews(): AsyncIterable<NamedEvent> {
    return this.live.events();
  }

  /** @throws HttpException 400, 503 */
  channels(request: FrameworkRequest): Promise<Page<ChannelRow>> {
    const query = new RequestQuery(request);
    const name = query.text('channel');
    if (name !== undefined) {
      return this.channelList.named(name);
    }
    const filter = query.text('filter');
    return this.channelList.page({
      filter,
      sort: query.word('sort', CHANNEL_SORTS),
      ...pageWish(query),
    });
  }

  /** @throws HttpException 400, 503 */
  connections(request: FrameworkRequest): Promise<Page<ConnectionRow>> {
    const query = new RequestQuery(request);
    return this.connectionList.page({
      channel: query.text('channel'),
      client: query.text('client'),
      sort: query.word('sort', CONNECTION_SORTS),
      ...pageWish(query),
    });
  }

  /** @throws HttpException 400, 404 for a channel that is not open */
  async history(request: FrameworkRequest): Promise<object> {
    const query = new RequestQuery(request);
    const channel = this.channelOf(query);
    const { limit } = pageWish(query);
    const events = await historyOf(channel, limit, this.settings.showData);
    return { channel: channel.name, events };
  }

  /** @throws HttpException 400, 404 for a channel that is not open, 503 when too many follow */
  follow(request: FrameworkRequest): AsyncIterable<NamedEvent> {
    return this.followers.events(this.channelOf(new RequestQuery(request)));
  }

  /** @throws HttpException 404 without the option `send` */
  send(request: FrameworkRequest): Promise<{ readonly id: string }> {
    if (!this.form) {
      throw new NotFoundException(
        'The inspector sends no events. Set `send: true` of SseInspectorModule to allow it to those whom its guards let in.',
      );
    }
    return this.form.send(request);
  }

  /** The open channel that a request names. @throws HttpException 400, 404 */
  private channelOf(query: RequestQuery): Channel {
    const name = query.required('channel');
    const [channel] = this.registry.named(name);
    if (!channel) {
      throw answer(
        HttpStatus.NOT_FOUND,
        'INVALID_CHANNEL',
        `The channel ${shown(name)} is not open on this instance.`,
      );
    }
    return channel;
  }

  private metrics(): Metrics {
    try {
      return this.moduleRef.get(Metrics, { strict: false });
    } catch (cause) {
      throw new SseError(
        'NOT_CONFIGURED',
        `SseInspectorModule needs SseModule. Import SseModule.forRoot() in the root module.${remarkOnCopies()}`,
        { cause },
      );
    }
  }
}
