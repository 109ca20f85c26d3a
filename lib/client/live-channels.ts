import type { ChannelState } from './request.js';
import { LABEL_LENGTH, positionIn, type ServerData } from './server-data.js';

/** The channels of one connection, and what the ids of its events say about them. */
export class LiveChannels {
  /** The names of the channels that it was asked for. */
  readonly asked: readonly string[];
  /** The channels that it brings, or is to bring, by name. */
  readonly live: Map<string, ChannelState>;
  /** The channel behind each label of the stream's ids. */
  private labels: ServerData['labels'] = new Map();
  /** The channel of events whose ids have no label. */
  private only: string | undefined;
  /** The positions that the connection before it has delivered since this one was asked for. */
  private readonly seen = new Map<string, string[]>();

  constructor(channels: readonly ChannelState[]) {
    this.live = new Map(channels.map((one) => [one.name, one]));
    this.asked = [...this.live.keys()];
  }

  /**
   * Takes over where these channels are, as the server says.
   * @returns those of them that were asked for
   */
  place(names: readonly string[], labels: ServerData['labels'], id: string): ChannelState[] {
    this.labels = labels;
    this.only = names.length === 1 ? names[0] : undefined;
    const byName = new Map([...labels].map(([label, name]) => [name, label]));
    return names.flatMap((name) => {
      const state = this.live.get(name);
      if (!state) return [];
      state.label = byName.get(name) ?? '';
      state.position ??= positionIn(id, state.label);
      return [state];
    });
  }

  /** Brings no other channels than these, whatever comes. */
  keep(wanted: ReadonlyMap<string, ChannelState>): void {
    for (const [name, state] of this.live) {
      if (wanted.get(name) !== state) this.live.delete(name);
    }
  }

  /** What an event is about. @param named the channel that its data names */
  about(
    id: string | undefined,
    named: string | undefined,
  ): { readonly state: ChannelState | undefined; readonly position: string | undefined } {
    const labelled = this.labels.get(id?.slice(0, LABEL_LENGTH) ?? '');
    return {
      state: this.live.get(labelled ?? named ?? this.only ?? ''),
      position: labelled === undefined ? id : id!.slice(LABEL_LENGTH + 1),
    };
  }

  /** Notes what the connection before it has delivered. */
  note(channel: string, position: string): void {
    const seen = this.seen.get(channel);
    if (seen) seen.push(position);
    else this.seen.set(channel, [position]);
  }

  /** Whether the connection before it has delivered this event. */
  isRepeat(channel: string, position: string): boolean {
    const seen = this.seen.get(channel);
    const at = seen ? seen.indexOf(position) : -1;
    // Both have one order. What is not among the noted ones comes after them.
    if (at < 0) this.seen.delete(channel);
    else seen!.splice(0, at + 1);
    return at >= 0;
  }
}
