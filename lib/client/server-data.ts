/** The length of labels in event ids. */
export const LABEL_LENGTH = 8;

/** What the module's own events tell. */
export interface ServerData {
  readonly channels?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly channel?: string;
  readonly reason?: string;
}

/** Empty for what is no JSON. */
export function parsed(data: string | undefined): ServerData {
  try {
    return (JSON.parse(data!) as ServerData | null) ?? {};
  } catch {
    return {};
  }
}

/** A channel's position in the id of all; without a label, it is the id. */
export function positionIn(id: string, label: string): string | undefined {
  if (label === '') return id || undefined;
  const place = id.split(',').find((one) => one.startsWith(`${label}:`));
  return place?.slice(LABEL_LENGTH + 1);
}
