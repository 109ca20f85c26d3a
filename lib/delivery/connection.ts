import { monotonicNow } from '../channel/clock.js';
import type { Guard } from '../channel/guard.js';
import { blockOf, sharedBlockOf, type Block } from './block.js';
import { HEARTBEAT_FRAME } from './frame.js';
import { endResponse, isCutOff, ResponseWriter, type Response } from './response-writer.js';

/** Reads events for one connection. */
export interface ConnectionReader {
  /** Reads on: the client takes more. */
  pull(): void;
  /** The connection is over. */
  close(): void;
}

/**
 * Why a connection ended.
 *
 * - `client-left`: its client closed it, or the network did
 * - `completed`: the run, or the handler's Observable, has ended
 * - `expired`: the client's permission has ended
 * - `max-age`: it was as old as connections may get
 * - `stalled`: the client did not read for too long
 * - `overflow`: the client read too slowly for an endpoint that disconnects then
 * - `shutdown`: the application ends
 * - `error`: the handler's Observable failed
 */
export type EndReason =
  | 'client-left'
  | 'completed'
  | 'expired'
  | 'max-age'
  | 'stalled'
  | 'overflow'
  | 'shutdown'
  | 'error';

/** Whoever holds the connection. */
export interface ConnectionOwner {
  readonly guard: Guard;
  /** Has the connection pulled, in a turn of the event loop that has time for it. */
  wake(connection: Connection): void;
  /** Called once, when nothing reaches the client any more. */
  onClosed(connection: Connection): void;
}

/** One open response: what is written to it, and when it is over. */
export class Connection {
  private readonly writer: ResponseWriter;
  private reader: ConnectionReader | undefined;
  /** When the client stopped reading, on the clock of `monotonicNow()`; 0 while it reads. */
  private blockedSince = 0;
  /** Why nothing is written any more; unset while there is. */
  private ended: EndReason | undefined;
  private isClosed = false;
  /** Whether the client had stopped reading when the reader was last pulled. */
  hasLagged = false;
  private wroteSinceBeat = true;
  private expiry: NodeJS.Timeout | undefined;

  /** The head and the opening frame of the response must have been written. */
  constructor(
    private readonly response: Response,
    private readonly owner: ConnectionOwner,
  ) {
    this.writer = new ResponseWriter(response);
    // Emitted once; `on` is spared the wrapper that `once` keeps for each connection.
    response.on('close', this.close);
  }

  /** Whether the client takes no more for now. A reader stops until it is pulled again. */
  get isBlocked(): boolean {
    return this.blockedSince !== 0 || this.ended !== undefined;
  }

  /** Why it has ended, or is about to. */
  get endReason(): EndReason | undefined {
    return this.ended;
  }

  /** Attaches the reader, which is pulled from here on. */
  readBy(reader: ConnectionReader): void {
    if (this.ended !== undefined) {
      reader.close();
      return;
    }
    this.reader = reader;
    reader.pull();
  }

  send(block: Block): void {
    if (this.ended !== undefined) {
      return;
    }
    this.wroteSinceBeat = true;
    if (!this.writer.write(block) && this.blockedSince === 0) {
      this.blockedSince = monotonicNow();
      this.writer.onceDrained(() => this.owner.wake(this));
    }
  }

  /** Writes frames that the readers before and after are likely to write as well. */
  sendShared(frames: string): void {
    this.send(sharedBlockOf(frames));
  }

  /** Writes a heartbeat if nothing was written since the last one was due. */
  beat(): void {
    if (!this.wroteSinceBeat && !this.isBlocked) {
      this.send(HEARTBEAT);
    }
    this.wroteSinceBeat = false;
  }

  /** Ends what nobody told us the end of, and whose client has not read for `stallTimeout` ms. */
  audit(stallTimeout: number): void {
    if (isCutOff(this.response)) {
      this.close();
    } else if (this.blockedSince !== 0 && monotonicNow() - this.blockedSince > stallTimeout) {
      this.destroy('stalled');
    }
  }

  /** Ends the connection after this many milliseconds, with a frame. */
  endAfter(delay: number, reason: EndReason, frame: () => string): void {
    clearTimeout(this.expiry);
    this.expiry = setTimeout(() => this.end(frame(), reason), delay);
    this.expiry.unref();
  }

  /** Ends the response once the client has read everything before. */
  end(frame?: string, reason: EndReason = 'completed'): void {
    if (this.ended !== undefined) {
      return;
    }
    this.stop(reason);
    // From here on the client has the stall timeout to take the rest.
    this.blockedSince ||= monotonicNow();
    endResponse(this.response, frame);
  }

  /** Gives the client up at once, whatever becomes of its response. */
  destroy(reason: EndReason = 'overflow'): void {
    if (this.isClosed) {
      return;
    }
    this.stop(reason);
    // An end that the client did not take is none.
    this.ended = reason;
    this.response.destroy();
    this.close();
  }

  private readonly close = (): void => {
    this.stop('client-left');
    if (!this.isClosed) {
      this.isClosed = true;
      this.owner.onClosed(this);
    }
  };

  private stop(reason: EndReason): void {
    this.ended ??= reason;
    clearTimeout(this.expiry);
    const { reader } = this;
    this.reader = undefined;
    if (reader) {
      this.owner.guard.run('The end of a stream', () => reader.close());
    }
  }

  /** Reads on after a pause: the client has taken what there was. */
  pull(): void {
    // Once it has ended, only the end of the response tells that the client took the rest.
    if (this.ended !== undefined) {
      return;
    }
    this.blockedSince = 0;
    this.hasLagged = true;
    try {
      this.reader?.pull();
    } finally {
      this.hasLagged = false;
    }
  }
}

const HEARTBEAT = blockOf(HEARTBEAT_FRAME);
