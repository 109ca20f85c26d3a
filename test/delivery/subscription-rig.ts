import { labelOf } from '../../lib/channel/composite-id.js';
import type { IdForm } from '../../lib/delivery/channel-request.js';
import type { DeliveryOptions } from '../../lib/delivery/delivery.js';
import type { Subscription } from '../../lib/delivery/subscription.js';
import type { SubscriptionOptions } from '../../lib/delivery/subscription-options.js';
import { ClientRig } from './client-rig.js';
import { FedSource, type FedSourceOptions } from './fed-source.js';

const ends: (() => void)[] = [];

/** Ends what `start()` has begun. To be called after each test. */
export const endAll = (): void => ends.splice(0).forEach((end) => end());

export interface Setting extends FedSourceOptions {
  readonly delivery?: Partial<DeliveryOptions>;
}

type Place = Partial<SubscriptionOptions>;

/** Opens channels, named by letters, of a source that a test feeds. */
export function start({ delivery: options, ...sourceOptions }: Setting = {}) {
  const rig = new ClientRig(options);
  const { delivery } = rig;
  const source = new FedSource(sourceOptions);
  ends.push(() => {
    source.letGo();
    rig.close();
  });
  const requestsOf = (names: string, form: Partial<IdForm> = {}) =>
    names.split('').map((name) => ({ source, name, ...form }));
  const subscribe = (names: string, form?: Partial<IdForm>) =>
    delivery.subscribe(requestsOf(names, form));
  const place = async (names: string, at: Place = {}, form?: Partial<IdForm>) => {
    const subscription = subscribe(names, form);
    await subscription.place({ lastEventId: undefined, readyTimeout: 10_000, ...at });
    return subscription;
  };
  return { rig, delivery, source, requestsOf, subscribe, place };
}

/** An id of several channels: `a3 b4` names a position of each. */
export const idOf = (places: string) =>
  places
    .replace(
      /\b([abcz])(\S+)/g,
      (_, name: string, position: string) => `${labelOf(name)}:${position}`,
    )
    .replace(/ /g, ',');

/** The events that a subscription has for its client; resets as `<channel>: <reason>`. */
export function read(subscription: Subscription): string[] {
  const merge = subscription.merge();
  const events: string[] = [];
  while (merge.next()) {
    const { type, data } = merge.entry;
    const reset = JSON.parse(type === 'sse:reset' ? data : '{}') as { reason?: string };
    events.push(reset.reason === undefined ? data : `${merge.channel.name}: ${reset.reason}`);
  }
  return events;
}

export const turn = () => new Promise((resolve) => setImmediate(resolve));
