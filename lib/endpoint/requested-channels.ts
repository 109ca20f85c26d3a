import { BadRequestException } from '@nestjs/common';
import { checkedNames, RESERVED_NAMES } from '../channel/channel-name.js';
import { shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import { readOptions } from '../sources/options/option-table.js';
import {
  requestable,
  REQUESTED_CHANNELS_OPTIONS,
  type Requestable,
  type RequestedChannelsOptions,
} from '../setup/requested-channels-options.js';
import type { SseSettings } from '../setup/settings.js';
import { checkSnapshots } from '../setup/snapshot-option.js';
import type { FrameworkRequest } from './framework-request.js';
import { readWishes, type Wishes } from './request-wishes.js';
import type { ChannelResolver, Route } from './route.js';

const known = new WeakMap<ChannelResolver, RequestedChannels>();

/**
 * Lets each request name the channels that it reads: for clients that read many channels by one
 * connection, such as that of `nestjs-sse-channels/client`. The endpoint needs `authorize`, its own or the
 * module's, or `only`: without one of them the application does not start.
 *
 * A GET names them by its query, `?channel=news&channel=job%3A42`, and a POST by its body, as JSON:
 * `{ "channels": ["news", "job:42"] }`. With `ids=channel` in the query or `"ids": "channel"` in the body
 * the id of each event is the position in its own channel only, and between channels there is no order.
 *
 * @throws SseError `INVALID_OPTION`, `INVALID_CHANNEL`
 *
 * @example
 * ```ts
 * @Sse('stream')
 * @SseChannel(requestedChannels({ only: ['news', 'job:{id}'] }))
 * stream() {}
 * ```
 */
export function requestedChannels(options: RequestedChannelsOptions = {}): ChannelResolver {
  const requested = new RequestedChannels(options);
  const resolver = (request: FrameworkRequest): readonly string[] =>
    requested.of(request, Infinity).names;
  known.set(resolver, requested);
  return resolver;
}

/** What `requestedChannels()` has made a resolver of; `undefined` for other resolvers. */
export function requestedBy(channels: unknown): RequestedChannels | undefined {
  return known.get(channels as ChannelResolver);
}

/**
 * Refuses to let clients name channels when nobody decides which of them they may read.
 * @throws SseError `INVALID_OPTION`
 */
export function checkDecider({ channels, options }: Route, settings: SseSettings): void {
  const requested = requestedBy(channels);
  if (requested && !requested.only && !(options.authorize ?? settings.authorize)) {
    throw new SseError(
      'INVALID_OPTION',
      'requestedChannels() has neither `only` nor `authorize`, so that any client could read any channel. ' +
        'Give `authorize` in the options of the endpoint or of SseModule, or name the channels that ' +
        "all clients of the endpoint may read: requestedChannels({ only: ['news'] }).",
    );
  }
  if (requested && options.run) {
    throw new SseError(
      'INVALID_OPTION',
      '`run` follows the runs of one channel, and with requestedChannels() a request may name several. ' +
        'Leave one of them out.',
    );
  }
}

/**
 * Refuses states of channels that the endpoint does not have, as far as its channels are known.
 * @throws SseError `INVALID_OPTION`, `INVALID_CHANNEL`
 */
export function checkStates({ channels, options: { snapshot }, where }: Route): void {
  const named = requestedBy(channels)?.only?.map(({ text }) => text);
  if (snapshot) {
    checkSnapshots(snapshot, typeof channels === 'string' ? [channels] : named, where);
  }
}

/** Finds the channels that a request names. */
export class RequestedChannels {
  /** The channels that a request may name; `undefined` for all. */
  readonly only: readonly Requestable[] | undefined;
  /** The most channels of one request. */
  readonly limit: number;

  constructor(options: RequestedChannelsOptions) {
    const { limit, only } = readOptions(
      REQUESTED_CHANNELS_OPTIONS,
      options,
      '',
      'requestedChannels(): ',
    );
    this.limit = limit;
    this.only = only?.map(requestable);
  }

  /** The entry of `only` that a name fits, if there is one. */
  entryOf(name: string): Requestable | undefined {
    return this.only?.find(({ template }) => template.paramsOf(name) !== undefined);
  }

  /** Names that begin with `sse:` are those of the module's own streams. Nobody has them to give away. */
  mayName(name: string): boolean {
    return !name.startsWith(RESERVED_NAMES) && (!this.only || this.entryOf(name) !== undefined);
  }

  /**
   * What a request asks for.
   *
   * @param idLength the most characters of a position in one channel
   * @throws HttpException 400, SseError `INVALID_CHANNEL`
   */
  of(request: FrameworkRequest, idLength: number): Wishes {
    const wishes = readWishes(request, idLength);
    const names = checkedNames(wishes.names);
    if (names.length > this.limit) {
      throw new BadRequestException(
        `This request names ${names.length} channels, and one may name at most ${this.limit}.`,
      );
    }
    for (const name of wishes.from.keys()) {
      if (!names.includes(name)) {
        throw new BadRequestException(
          `This request gives a position for ${shown(name)}, which is none of its channels.`,
        );
      }
    }
    return { ...wishes, names };
  }
}
