import type { ChannelSink, SourceEvent } from '../../channel/source.js';

export class RecordingSink implements ChannelSink {
  isLive = false;
  isClosed = false;
  /** Calls after the feed was closed. */
  late = 0;
  private count = 0;

  live(): void {
    this.isLive = true;
    this.noteLate();
  }

  append(event: SourceEvent): string {
    this.noteLate();
    return event.position ?? `${++this.count}`;
  }

  reset(): void {
    this.noteLate();
  }

  private noteLate(): void {
    this.late += this.isClosed ? 1 : 0;
  }
}
