import { monotonicNow } from '../channel/clock.js';
import type { Guard } from '../channel/guard.js';
import type { Tally } from '../channel/tally.js';
import { blockOf, sharedBlockOf, type Block } from './block.js';
import type { EndReason } from './end-reason.js';
import { HEARTBEAT_FRAME } from './frame.js';
import {
  breakResponse,
  endResponse,
  isCutOff,
  ResponseWriter,
  type Response,
} from './response-writer.js';

/** Reads events for one connection. */
export interface ConnectionReader {
  /** The names of the channels it reads. */
  readonly channels: readonly string[];
  /** How many events it has not read that it could; unset where nobody counts them. */
  readonly backlog?: number;
  /** Called when the client takes more. */
  pull(): void;
  /** Called when the connection is over. */
  close(): void;
}

/** The owner of connections. */
export interface ConnectionOwner {
  readonly guard: Guard;
  /** Keeps events from all clients for a while. */
  readonly hold: { readonly isOn: boolean };
  readonly tally: Tally;
  /** The connections whose clients do not read at the moment. */
  readonly slow: Set<Connection>;
  /** Pulls the connection, or its reader, in a turn of the event loop that has time for it. */
  wake(connection: { pull(): void }): void;
  /** Called once, before the connection's reader is pulled. */
  onOpened(connection: Connection): void;
  /** Called once, when the connection has ended; its client may still take the rest. */
  onEnding(connection: Connection): void;
  /** Called once, when the connection has closed. */
  onClosed(connection: Connection): void;
}

/** One open response. Writes to it, and ends it. */
export class Connection {
  private readonly writer: ResponseWriter;
  private reader: ConnectionReader | undefined;
  /** When the client stopped reading, on the clock of `monotonicNow()`; 0 while it reads. */
  blockedSince = 0;
  /** Why the connection has ended; `undefined` while it can be written to. */
  private ended: EndReason | undefined;
  private isClosed = false;
  /** Whether the client had stopped reading when the reader was last pulled. */
  hasLagged = false;
  private wroteSinceBeat = true;
  /** When it was opened, on the clock of `monotonicNow()`. */
  readonly openedAt = monotonicNow();
  /** How many events, and how many bytes of frames, were written. */
  events = 0;
  bytes = 0;
  private expiry: NodeJS.Timeout | undefined;

  /** The caller must have written the head and the opening frame of the response. */
  constructor(
    private readonly response: Response,
    private readonly owner: ConnectionOwner,
    /** Each connection of the owner has a higher one than those before it. */
    readonly number: number,
  ) {
    this.writer = new ResponseWriter(response);
    // The event comes once; `once` would keep a wrapper for each connection.
    response.on('close', this.close);
  }

  /** Whether the client takes no more for now. Readers stop until they are pulled again. */
  get isBlocked(): boolean {
    return this.blockedSince !== 0 || this.ended !== undefined || this.owner.hold.isOn;
  }

  /** Whether all clients receive nothing for now. */
  get isHeld(): boolean {
    return this.owner.hold.isOn;
  }

  /** Why the connection has ended, or is about to. */
  get endReason(): EndReason | undefined {
    return this.ended;
  }

  /** The names of its channels. */
  get channels(): readonly string[] {
    return this.reader?.channels ?? [];
  }

  /** Attaches the reader, and pulls it from now on. */
  readBy(reader: ConnectionReader): void {
    this.reader = reader;
    this.owner.onOpened(this);
    if (this.ended === undefined) {
      reader.pull();
    } else {
      reader.close();
    }
  }

  send(block: Block): void {
    if (this.ended !== undefined) {
      return;
    }
    this.wroteSinceBeat = true;
    this.count(block.events, block.frames.length);
    if (!this.writer.write(block) && this.blockedSince === 0) {
      this.blockedSince = monotonicNow();
      this.owner.slow.add(this);
      this.writer.onceDrained(() => this.owner.wake(this));
    }
  }

  private count(events: number, bytes: number): void {
    this.events += events;
    this.bytes += bytes;
    const { tally } = this.owner;
    tally.sentEvents += events;
    tally.sentBytes += bytes;
  }

  /** How many events its reader has not read yet, as its client does not take them. */
  get backlog(): number {
    return this.reader?.backlog ?? 0;
  }

  /** Writes frames that other readers are likely to write next, as one shared block. */
  sendShared(frames: string, events: number): void {
    this.send(sharedBlockOf(frames, events));
  }

  /** Writes a heartbeat if nothing was written since the last one was due. */
  beat(): void {
    if (!this.wroteSinceBeat && this.blockedSince === 0) {
      this.send(HEARTBEAT);
    }
    this.wroteSinceBeat = false;
  }

  /** Ends the connection if its socket is gone, or its client has stalled for `stallTimeout` ms. */
  audit(stallTimeout: number): void {
    if (isCutOff(this.response)) {
      this.close();
    } else if (this.blockedSince !== 0 && monotonicNow() - this.blockedSince > stallTimeout) {
      this.destroy('stalled');
    }
  }

  /** Ends the connection after `delay` milliseconds, with a last frame. */
  endAfter(delay: number, reason: EndReason, frame: () => string): void {
    clearTimeout(this.expiry);
    this.expiry = setTimeout(() => this.end(frame(), reason), delay);
    this.expiry.unref();
  }

  /** Ends the response after everything that was written before, and after these frames. */
  end(frames = '', reason: EndReason = 'completed', events = 0): void {
    if (this.ended !== undefined) {
      return;
    }
    this.stop(reason);
    this.count(events, Buffer.byteLength(frames));
    // From here on the client has the stall timeout to take the rest.
    this.blockedSince ||= monotonicNow();
    endResponse(this.response, frames);
  }

  /** Closes the connection at once; the client may lose the rest of the response. */
  destroy(reason: EndReason = 'overflow'): void {
    if (this.isClosed) {
      return;
    }
    this.stop(reason);
    // The client did not receive the end that was recorded before.
    this.ended = reason;
    breakResponse(this.response);
    this.close();
  }

  /** Ends the connection for the application. What the client has not taken yet is not for it. */
  revoke(frame: string): void {
    if (this.blockedSince === 0) {
      this.end(frame, 'revoked');
    } else {
      this.destroy('revoked');
    }
  }

  private readonly close = (): void => {
    this.stop('client-left');
    if (!this.isClosed) {
      this.isClosed = true;
      this.owner.onClosed(this);
    }
  };

  private stop(reason: EndReason): void {
    if (this.ended !== undefined) {
      return;
    }
    this.ended = reason;
    clearTimeout(this.expiry);
    this.owner.slow.delete(this);
    this.owner.onEnding(this);
    const { reader } = this;
    if (reader) {
      this.owner.guard.run('The end of a stream', () => reader.close());
    }
  }

  /** Goes on after a hold. */
  goOn(): void {
    if (this.reader && this.ended === undefined && this.blockedSince === 0) {
      this.owner.wake(this.reader);
    }
  }

  /** Goes on after a pause, as the client has read everything before. */
  pull(): void {
    // Once it has ended, only the end of the response tells that the client took the rest.
    if (this.ended !== undefined) {
      return;
    }
    this.blockedSince = 0;
    this.owner.slow.delete(this);
    this.hasLagged = true;
    try {
      this.reader?.pull();
    } finally {
      this.hasLagged = false;
    }
  }
}

const HEARTBEAT = blockOf(HEARTBEAT_FRAME, 0, true);
