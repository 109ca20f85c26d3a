import { HttpStatus, Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Guard } from '../channel/guard.js';
import { reasonOf } from '../channel/reason.js';
import { SseError } from '../channel/sse-error.js';
import { countedKey } from '../delivery/client.js';
import { countedOf } from '../endpoint/access.js';
import type { FrameworkRequest } from '../endpoint/framework-request.js';
import { SseRoutes } from '../endpoint/sse-routes.js';
import type { EventToSend, SendResult } from '../sending/send-all.options.js';
import { remarkOnCopies } from '../setup/copies.js';
import { SSE_SETTINGS, type SseSettings } from '../setup/settings.js';
import { sseLog } from '../setup/sse-log.js';
import { SseSources } from '../setup/sse-sources.js';
import type { Settings } from '../sources/options/option-table.js';
import { SseService } from '../sse.service.js';
import { outputOf, wireType } from '../typed/checked-data.js';
import { keyOfHeaders, withKey } from './idempotency-header.js';
import { OtherSources } from './other-sources.js';
import {
  answerToMany,
  answerToOne,
  faultOf,
  Refusal,
  refused,
  type PublishAnswer,
} from './publish-answer.js';
import { PublishChannels } from './publish-channels.js';
import type { PublishFacts } from './publish-facts.js';
import { PublishPermission } from './publish-permission.js';
import { PublishPace } from './publish-pace.js';
import { PublishRate } from './publish-rate.js';
import type { PUBLISH_OPTIONS } from './publish.options.js';
import { checkIsJson } from './request-body.js';
import { publishedEvent, publishedEvents, type PublishedEvents } from './published-events.js';

/** Injection token of the module's options, checked and complete. */
export const SSE_PUBLISH_SETTINGS = Symbol('SSE_PUBLISH_SETTINGS');

export type PublishSettings = Settings<typeof PUBLISH_OPTIONS>;

/** The events that are checked and sent before others have their turn: brokers take as many in one call. */
const PIECE = 500;
/** For how many events of a request we ask `authorize` at the same time. */
const MOST_QUESTIONS = 10;

/** Publishes what requests bring. */
@Injectable()
export class Publisher implements OnModuleInit {
  readonly channels: PublishChannels;
  private readonly guard = new Guard(sseLog);
  private readonly rate: PublishRate;
  private readonly pace = new PublishPace(PIECE);
  private sse!: SseService;
  private module!: SseSettings;
  private sources!: SseSources;
  private others!: OtherSources;

  constructor(
    @Inject(SSE_PUBLISH_SETTINGS) readonly settings: PublishSettings,
    @Inject(ModuleRef) private readonly moduleRef: ModuleRef,
  ) {
    this.channels = new PublishChannels(settings.channels);
    this.rate = new PublishRate(settings.limits.eventsPerMinute);
  }

  /** What a document can tell of the route. */
  get facts(): PublishFacts {
    const { authorize, limits } = this.settings;
    return {
      channels: this.channels.entries,
      authorizes: authorize !== undefined,
      mostEvents: limits.eventsPerRequest,
      isLimited: limits.eventsPerMinute !== Infinity,
    };
  }

  /** @throws SseError `NOT_CONFIGURED` */
  onModuleInit(): void {
    try {
      this.sse = this.moduleRef.get(SseService, { strict: false });
    } catch (cause) {
      throw new SseError(
        'NOT_CONFIGURED',
        `SsePublishModule needs SseModule. Import SseModule.forRoot() in the root module.${remarkOnCopies()}`,
        { cause },
      );
    }
    this.module = this.moduleRef.get<SseSettings>(SSE_SETTINGS, { strict: false });
    this.sources = this.moduleRef.get(SseSources, { strict: false });
    const routes = this.moduleRef.get(SseRoutes, { strict: false });
    this.others = new OtherSources(routes, this.module.broker);
  }

  /** Publishes the events of a request. What it refuses, it answers. */
  async publish(request: FrameworkRequest): Promise<PublishAnswer> {
    try {
      return await this.publishAll(request);
    } catch (error) {
      if (isFault(error)) {
        this.guard.report('A request to publish', error);
      }
      return refused(error);
    }
  }

  private async publishAll(request: FrameworkRequest): Promise<PublishAnswer> {
    const { items, areMany, key } = this.counted(request);
    const permission = new PublishPermission(this.settings.authorize, request, this.guard);
    const results: SendResult[] = [];
    for (let from = 0; from < items.length; from += PIECE) {
      const piece = items.slice(from, from + PIECE);
      const pause = this.pace.enter(piece.length);
      if (pause) {
        await pause;
      }
      const placed = piece.map((item, nth) => ({ item, nth: areMany ? from + nth : undefined }));
      results.push(...(await this.publishPiece(placed, permission, key)));
    }
    return areMany ? answerToMany(results) : answerToOne(results[0]!);
  }

  /**
   * Reads a request, and counts it for its caller, also when it cannot be read.
   * @throws SseError, Refusal
   */
  private counted(request: FrameworkRequest): RequestedEvents {
    const caller = this.rate.isLimited ? this.callerOf(request) : '';
    let read: RequestedEvents;
    try {
      read = this.read(request);
    } catch (error) {
      this.rate.take(caller, 1);
      throw error;
    }
    this.rate.take(caller, Math.max(1, read.items.length));
    return read;
  }

  private read(request: FrameworkRequest): RequestedEvents {
    const { eventsPerRequest } = this.settings.limits;
    checkIsJson(request);
    const events = publishedEvents(request.body);
    const { length } = events.items;
    if (length > eventsPerRequest) {
      throw new Refusal(
        HttpStatus.PAYLOAD_TOO_LARGE,
        new SseError(
          'LIMIT_REACHED',
          `The request has ${length} events. Give at most ${eventsPerRequest}, and the others in further requests.`,
        ),
      );
    }
    return { ...events, key: keyOfHeaders(request.headers) };
  }

  private async publishPiece(
    placed: readonly Placed[],
    permission: PublishPermission,
    key: string | undefined,
  ): Promise<SendResult[]> {
    const checked: (EventToSend | Error)[] = [];
    // The workers share one iterator, so that each event is taken once.
    const waiting = placed.entries();
    const work = async (): Promise<void> => {
      for (const [at, { item, nth }] of waiting) {
        checked[at] = await this.checked(item, nth, permission, key).catch(this.asError);
      }
    };
    await Promise.all(Array.from({ length: Math.min(MOST_QUESTIONS, placed.length) }, work));
    const toSend = checked.filter((event): event is EventToSend => !(event instanceof Error));
    const sent = (await this.sse.sendAll(toSend)).values();
    return checked.map((event) =>
      event instanceof Error ? { status: 'failed', error: event } : sent.next().value!,
    );
  }

  /** @throws SseError for an event that is not to be published */
  private async checked(
    item: unknown,
    nth: number | undefined,
    permission: PublishPermission,
    key: string | undefined,
  ): Promise<EventToSend> {
    const event = withKey(publishedEvent(item, this.module.limits), key, nth);
    const definition = this.channels.definitionOf(event.channel);
    await permission.check(event);
    this.others.check(event.channel);
    this.checkKeys(event.idempotencyKey);
    if (!definition) {
      return event;
    }
    const { type: name = 'message', data, ...rest } = event;
    const output = outputOf(definition, name, data);
    const type = wireType(name);
    return { ...rest, data: output, ...(type !== undefined && { type }) };
  }

  /** For whom a request counts. @throws Error for what is no answer of `client` */
  private callerOf(request: FrameworkRequest): string {
    try {
      return countedKey(
        countedOf(request, this.settings.client ?? this.module.client, 'SsePublishModule'),
      );
    } catch (error) {
      // The caller is not told what is wrong with the application.
      throw error instanceof SseError ? new Error(error.message, { cause: error }) : error;
    }
  }

  private readonly asError = (error: unknown): Error => {
    if (isFault(error)) {
      this.guard.report('An event of a request to publish', error);
    }
    return error instanceof Error ? error : new Error(reasonOf(error));
  };

  /** @throws SseError `INVALID_OPTION` */
  private checkKeys(key: string | undefined): void {
    if (key !== undefined && !this.sources.broker.publishOnce) {
      throw new SseError(
        'INVALID_OPTION',
        'The broker of this application does not recognise idempotency keys. Leave the key out.',
      );
    }
  }
}

/** What a request asks to publish, and the key in its header. */
interface RequestedEvents extends PublishedEvents {
  readonly key: string | undefined;
}

/** An event as it is written, and its place in a list. */
interface Placed {
  readonly item: unknown;
  readonly nth: number | undefined;
}

/** Whether an error is no answer to the caller, but something that an operator should know. */
function isFault(error: unknown): boolean {
  return faultOf(error).statusCode === (HttpStatus.INTERNAL_SERVER_ERROR as number);
}
