import { NotFoundException } from '@nestjs/common';
import { channelName } from '../channel/channel-name.js';
import { placeholdersOf } from '../channel/template.js';
import type { FrameworkRequest } from './framework-request.js';

/** By template. Templates stand in decorators, so there are few. */
const placeholders = new Map<string, readonly string[]>();

/**
 * The channel that a route's template names for a request.
 * @throws SseError `INVALID_CHANNEL`; HttpException 404 when the path has no value for a placeholder
 */
export function fill(template: string, { hosts, params = {} }: FrameworkRequest): string {
  let names = placeholders.get(template);
  if (!names) {
    placeholders.set(template, (names = placeholdersOf(template)));
  }
  if (names.length === 0) {
    return template;
  }
  // Nest keeps the parameters of the host apart from those of the path.
  const values: Record<string, string> = hosts ? { ...hosts, ...params } : params;
  // The start has checked that the path has all of them, but one may be optional there.
  if (names.some((name) => values[name] === undefined)) {
    throw noChannel();
  }
  return channelName(template, values);
}

export function noChannel(): NotFoundException {
  return new NotFoundException('There is no channel for this request.');
}
