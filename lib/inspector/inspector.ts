import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { SseError } from '../channel/sse-error.js';
import type { FrameworkRequest } from '../endpoint/framework-request.js';
import { Metrics } from '../metrics/metrics.js';
import { remarkOnCopies } from '../setup/copies.js';
import {
  CHANNEL_SORTS,
  ChannelList,
  pageWish,
  type ChannelRow,
  type Page,
} from './channel-list.js';
import { CONNECTION_SORTS, ConnectionList, type ConnectionRow } from './connection-list.js';
import type { InspectorSettings } from './inspector.options.js';
import { Live, type NamedEvent } from './live.js';
import { PacedWork } from './paced-work.js';
import { RequestQuery } from './request-query.js';

/** Injection token of the module's options, checked and complete. */
export const SSE_INSPECTOR_SETTINGS = Symbol('SSE_INSPECTOR_SETTINGS');

/** Answers the requests of the page. Nothing runs before there is one. */
@Injectable()
export class Inspector implements OnModuleInit {
  private live!: Live;
  private channelList!: ChannelList;
  private connectionList!: ConnectionList;

  constructor(
    @Inject(SSE_INSPECTOR_SETTINGS) readonly settings: InspectorSettings,
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
  ) {}

  /** @throws SseError `NOT_CONFIGURED` */
  onModuleInit(): void {
    const metrics = this.metrics();
    const work = new PacedWork();
    this.live = new Live(metrics, this.settings);
    this.channelList = new ChannelList(metrics, this.live.rates, work);
    this.connectionList = new ConnectionList(metrics, this.settings.showData, work);
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
