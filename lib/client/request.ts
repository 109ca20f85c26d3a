/** A channel that is wanted, from when it is until it is not. */
export interface ChannelState {
  readonly name: string;
  /** The position after which to resume it; `earliest`; `undefined` to begin live. */
  position: string | undefined;
  /** Its label in event ids; empty where ids have none; `undefined` until the server has told it. */
  label: string | undefined;
  /** Whether it is refused or has ended. */
  isOver: boolean;
}

/** Longer addresses are refused by some servers and proxies. */
const MAX_ADDRESS = 2_000;

/**
 * The address that asks for channels. Many of them come with the body of a POST. An endpoint with one
 * channel of its own knows only `lastEventId`: so it tells the position of a single channel, too.
 */
export function requestFor(
  url: string,
  channels: readonly ChannelState[],
): { url: string; body?: string } {
  const names = channels.map(({ name }) => name);
  const query = [['ids', 'channel'], ...names.map((name) => ['channel', name])];
  const places: string[] = [];
  for (const { name, position, label } of channels) {
    if (position === undefined) continue;
    const isNamed = label !== undefined && position !== 'earliest';
    if (!isNamed) query.push(['from', `${position},${name}`]);
    if (isNamed || names.length === 1) places.push(label ? `${label}:${position}` : position);
  }
  if (places.length > 0) query.push(['lastEventId', places.join()]);
  const text = query.map(([key, value]) => `${key}=${encodeURIComponent(value!)}`).join('&');
  const address = `${url}${url.includes('?') ? '&' : '?'}${text}`;
  if (address.length <= MAX_ADDRESS) return { url: address };
  const from = Object.fromEntries(channels.map(({ name, position }) => [name, position]));
  return { url, body: JSON.stringify({ channels: names, ids: 'channel', from }) };
}
