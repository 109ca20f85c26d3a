import { checkChannelName } from '../channel/channel-name.js';
import { placeholdersOf } from '../channel/template.js';
import { ChannelTemplate } from '../channel/channel-params.js';
import { shown } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import type { SseClosed, SseOpened } from '../delivery/connection-events.js';
import type { SseOccupied, SseVacated } from '../presence/sse-presence.js';

/** What a method with one of the decorators is called for. */
export interface HookMark {
  readonly type: 'opened' | 'closed' | 'occupied' | 'vacated';
  /** The names of the channels; `undefined` for any, also for none. */
  readonly channels: ChannelTemplate | undefined;
}

/** On the method, since decorators that wrap it copy its metadata. */
const HOOK_METADATA = 'sse:connection-hooks';

type HookDecorator<Event> = <Method extends (event: Event) => unknown>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/**
 * Calls the method of a provider or controller each time a connection of this instance opens.
 *
 * @param channel only those that read this channel, or one of this template, such as `job:{id}`.
 * Default: all
 * @throws SseError `INVALID_CHANNEL`, when the class is defined
 */
export function OnSseConnect(channel?: string): HookDecorator<SseOpened> {
  return mark('@OnSseConnect()', 'opened', channel);
}

/**
 * Calls the method of a provider or controller each time a connection of this instance has closed.
 *
 * @param channel only those that read this channel, or one of this template, such as `job:{id}`.
 * Default: all
 * @throws SseError `INVALID_CHANNEL`, when the class is defined
 */
export function OnSseDisconnect(channel?: string): HookDecorator<SseClosed> {
  return mark('@OnSseDisconnect()', 'closed', channel);
}

/**
 * Calls the method of a provider or controller when a channel gets its first reader, on the instance that
 * has it. Only readers by endpoints with `presence` count.
 *
 * @param channel only for this channel, or those of this template, such as `job:{id}`. Default: all
 * @throws SseError `INVALID_CHANNEL`, when the class is defined
 */
export function OnSseOccupied(channel?: string): HookDecorator<SseOccupied> {
  return mark('@OnSseOccupied()', 'occupied', channel);
}

/**
 * Calls the method of a provider or controller when a channel has lost its last reader, on the instance
 * that had it. When that has died, on the one that finds it. Only readers by endpoints with `presence`
 * count.
 *
 * @param channel only for this channel, or those of this template, such as `job:{id}`. Default: all
 * @throws SseError `INVALID_CHANNEL`, when the class is defined
 */
export function OnSseVacated(channel?: string): HookDecorator<SseVacated> {
  return mark('@OnSseVacated()', 'vacated', channel);
}

/** The marks of a method. */
export function hookMarksOf(method: object): readonly HookMark[] {
  return (Reflect.getMetadata(HOOK_METADATA, method) as HookMark[] | undefined) ?? [];
}

function mark<Event>(
  decorator: string,
  type: HookMark['type'],
  channel: string | undefined,
): HookDecorator<Event> {
  const channels = channel === undefined ? undefined : channelsOf(decorator, channel);
  return (_target, _key, { value }) => {
    Reflect.defineMetadata(HOOK_METADATA, [...hookMarksOf(value!), { type, channels }], value!);
  };
}

function channelsOf(decorator: string, channel: unknown): ChannelTemplate {
  if (typeof channel !== 'string') {
    throw new SseError(
      'INVALID_CHANNEL',
      `${decorator} is given ${shown(channel)}. Give a channel's name, a template, or nothing for all.`,
    );
  }
  const template = new ChannelTemplate(channel);
  if (placeholdersOf(channel).length === 0) {
    checkChannelName(channel);
  }
  return template;
}
