import { monotonicNow } from '../channel/clock.js';
import { blockOf, sharedBlockOf, type Block } from './block.js';
import { HEARTBEAT_FRAME } from './frame.js';
import { ResponseWriter, type Response } from './response-writer.js';

/** Reads events for one connection. */
export interface ConnectionReader {
  /** Reads on: the client takes more. */
  pull(): void;
  /** The connection is over. */
  close(): void;
}

/** One open response: what is written to it, and when it is over. */
export class Connection {
  private readonly writer: ResponseWriter;
  private reader: ConnectionReader | undefined;
  /** When the client stopped reading, on the clock of `monotonicNow()`; 0 while it reads. */
  private blockedSince = 0;
  private isOver = false;
  /** Whether the client had stopped reading when the reader was last pulled. */
  hasLagged = false;
  private wroteSinceBeat = true;
  private expiry: NodeJS.Timeout | undefined;

  /** The head and the opening frame of the response must have been written. */
  constructor(
    private readonly response: Response,
    private readonly onClose: (connection: Connection) => void,
  ) {
    this.writer = new ResponseWriter(response);
    // Emitted once; `on` is spared the wrapper that `once` keeps for each connection.
    response.on('close', this.close);
  }

  /** Whether the client takes no more for now. A reader stops until it is pulled again. */
  get isBlocked(): boolean {
    return this.blockedSince !== 0 || this.isOver;
  }

  /** Attaches the reader, which is pulled from here on. */
  readBy(reader: ConnectionReader): void {
    if (this.isOver) {
      reader.close();
      return;
    }
    this.reader = reader;
    reader.pull();
  }

  send(block: Block): void {
    if (this.isOver) {
      return;
    }
    this.wroteSinceBeat = true;
    if (!this.writer.write(block) && this.blockedSince === 0) {
      this.blockedSince = monotonicNow();
      this.writer.onceDrained(() => this.resume());
    }
  }

  /** Writes frames that the readers before and after are likely to write as well. */
  sendShared(frames: string): void {
    this.send(sharedBlockOf(frames));
  }

  sendFrames(frames: string): void {
    this.send(blockOf(frames));
  }

  /** Writes a heartbeat if nothing was written since the last one was due. */
  beat(): void {
    if (!this.wroteSinceBeat && !this.isBlocked) {
      this.send(HEARTBEAT);
    }
    this.wroteSinceBeat = false;
  }

  /** Destroys the connection if the client has not read for longer than this. */
  destroyIfStalled(timeout: number, now: number): boolean {
    const isStalled = this.blockedSince !== 0 && now - this.blockedSince > timeout;
    if (isStalled) {
      this.destroy();
    }
    return isStalled;
  }

  /** Ends the connection after this many milliseconds, with a frame. */
  endAfter(delay: number, frame: () => string): void {
    clearTimeout(this.expiry);
    this.expiry = setTimeout(() => this.end(frame()), delay);
    this.expiry.unref();
  }

  /** Ends the response once the client has read everything before. */
  end(frame?: string): void {
    if (this.isOver) {
      return;
    }
    this.stop();
    // From here on the client has the stall timeout to take the rest.
    this.blockedSince ||= monotonicNow();
    if (frame === undefined) {
      this.response.end();
    } else {
      this.response.end(frame);
    }
  }

  /** Gives the client up. */
  destroy(): void {
    this.stop();
    this.response.destroy();
  }

  private readonly close = (): void => {
    this.stop();
    this.onClose(this);
  };

  private stop(): void {
    this.isOver = true;
    clearTimeout(this.expiry);
    const { reader } = this;
    this.reader = undefined;
    reader?.close();
  }

  private resume(): void {
    this.blockedSince = 0;
    this.hasLagged = true;
    this.reader?.pull();
    this.hasLagged = false;
  }
}

const HEARTBEAT = blockOf(HEARTBEAT_FRAME);
