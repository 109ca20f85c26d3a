import type { ChannelSink, SourceEvent } from '../../channel/source.js';

export class RecordingSink implements ChannelSink {
  isClosed = false;
  /** Calls after the feed was closed. */
  late = 0;
  /** The positions that `live()` was called with. */
  readonly lives: (string | undefined)[] = [];
  /** What was appended, text or not: a source may be wrong. */
  readonly data: unknown[] = [];
  /** The position of the last call. */
  private position: string | undefined;
  private count = 0;

  get isLive(): boolean {
    return this.lives.length > 0;
  }

  live(position?: string): void {
    this.noteLate();
    // To be live again where it is tells nobody of a gap.
    if (!this.isLive || position === undefined || position !== this.position) {
      this.lives.push(position);
    }
    this.position = position;
  }

  append(event: SourceEvent): string {
    this.noteLate();
    this.data.push(event.data);
    this.position = event.position;
    return event.position ?? `${++this.count}`;
  }

  reset(): void {
    this.noteLate();
  }

  private noteLate(): void {
    this.late += this.isClosed ? 1 : 0;
  }
}
