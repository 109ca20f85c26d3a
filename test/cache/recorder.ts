import type {
  ChannelFeed,
  ChannelSink,
  ChannelSource,
  ResetReason,
  SourceEvent,
  SseLogger,
} from '../../lib/channel/source.js';

/** A channel that notes what its source does with it. */
export class Recorder implements ChannelSink {
  readonly events: SourceEvent[] = [];
  readonly resets: ResetReason[] = [];
  isLive = false;
  feed: ChannelFeed | undefined;

  /** Opens the channel and reads it. */
  static open(source: ChannelSource, name: string): Recorder {
    const recorder = new Recorder();
    recorder.feed = source.open(name, recorder);
    recorder.feed.resume?.();
    return recorder;
  }

  get data(): string[] {
    return this.events.map((event) => event.data);
  }

  live(): void {
    this.isLive = true;
  }

  append(event: SourceEvent): string {
    this.events.push(event);
    return String(this.events.length);
  }

  reset(reason: ResetReason): void {
    this.resets.push(reason);
  }
}

/** A logger that keeps its lines. */
export class LogRecorder implements SseLogger {
  readonly lines: string[] = [];
  readonly errors: string[] = [];

  log(message: string): void {
    this.lines.push(message);
  }

  warn(message: string): void {
    this.lines.push(message);
  }

  error(message: string): void {
    this.errors.push(message);
  }
}
