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
 * The address that asks for channels. Many of them, or positions that only a body can tell, come with
 * the body of a POST.
 */
export function requestFor(
  url: string,
  channels: readonly ChannelState[],
): { url: string; body?: string } {
  let query = 'ids=channel';
  let isQuery = true;
  const from: Record<string, string> = {};
  const places: string[] = [];
  for (const { name, position, label } of channels) {
    query += `&channel=${encodeURIComponent(name)}`;
    if (position === undefined) continue;
    from[name] = position;
    if (position === 'earliest') query += `&earliest=${encodeURIComponent(name)}`;
    else if (label === undefined) isQuery = false;
    else places.push(label && `${label}:`, position, ',');
  }
  if (places.length > 0) {
    query += `&lastEventId=${encodeURIComponent(places.slice(0, -1).join(''))}`;
  }
  const address = `${url}${url.includes('?') ? '&' : '?'}${query}`;
  return isQuery && address.length <= MAX_ADDRESS
    ? { url: address }
    : {
        url,
        body: JSON.stringify({ channels: channels.map(({ name }) => name), ids: 'channel', from }),
      };
}
