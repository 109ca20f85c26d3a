/** The length of labels in event ids. */
export const LABEL_LENGTH = 8;

/** What the module's own events tell. Whatever has another type than it should have is left out. */
export interface ServerData {
  readonly channels: readonly string[] | undefined;
  /** The channel behind each label. */
  readonly labels: ReadonlyMap<string, string>;
  readonly channel: string | undefined;
  readonly reason: string | undefined;
}

/** Reads the data of one of the module's own events. It never throws: who sends it may be anybody. */
export function serverData(text: string | undefined): ServerData {
  let data: { readonly [Name in keyof ServerData]?: unknown } | null | undefined;
  try {
    data = JSON.parse(text!) as typeof data;
  } catch {
    // It is no JSON, and tells nothing.
  }
  const { channels, labels, channel, reason } = data ?? {};
  return {
    channels: Array.isArray(channels) ? channels.filter(isText) : undefined,
    labels: new Map(
      Object.entries(labels ?? {}).filter((entry): entry is [string, string] => isText(entry[1])),
    ),
    channel: isText(channel) ? channel : undefined,
    reason: isText(reason) ? reason : undefined,
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** A channel's position in the id of all; without a label, it is the id. */
export function positionIn(id: string, label: string): string | undefined {
  if (label === '') return id || undefined;
  const place = id.split(',').find((one) => one.startsWith(`${label}:`));
  return place?.slice(LABEL_LENGTH + 1);
}
