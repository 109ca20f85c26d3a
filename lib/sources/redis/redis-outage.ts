import { Outage } from '../../channel/outage.js';
import type { SseLogger } from '../../channel/source.js';

/** How long a loss must last before we log it, as servers close idle connections. */
const GRACE_MS = 1_000;

/** The time in which one or more connections cannot reach Redis. Logs one line for all of them. */
export class RedisOutage {
  private readonly outage: Outage;
  private readonly lost = new Set<ConnectionLoss>();

  constructor(
    private readonly address: string,
    logger: SseLogger,
  ) {
    this.outage = new Outage(logger, 'redis');
  }

  /** Whether the outage was logged and is not over. */
  get lasts(): boolean {
    return this.outage.lasts;
  }

  /** For how long it lasts since it was logged, in milliseconds; `undefined` when there is none. */
  get lastsFor(): number | undefined {
    return this.outage.lastsFor;
  }

  begin(loss: ConnectionLoss, text: string): void {
    this.lost.add(loss);
    this.outage.begin(text);
  }

  end(loss: ConnectionLoss): void {
    if (this.lost.delete(loss) && this.lost.size === 0) {
      this.outage.end(`Redis at ${this.address} is reachable again.`);
    }
  }
}

export class ConnectionLoss {
  private timer: NodeJS.Timeout | undefined;
  private reason: string | undefined;
  private isStopped = false;

  /** @param textOf makes the log line of an outage that begins with this connection */
  constructor(
    private readonly outage: RedisOutage,
    private readonly textOf: (reason: string) => string,
  ) {}

  get isNoted(): boolean {
    return this.reason !== undefined;
  }

  /** The connection was lost, or could not be made. */
  note({ status }: { readonly status: string }, reason: string): void {
    if (this.isStopped) {
      return;
    }
    this.reason ??= reason;
    if (status === 'connecting' || status === 'connect') {
      // An attempt has failed.
      this.begin();
    } else {
      this.timer ??= setTimeout(() => this.begin(), GRACE_MS).unref();
    }
  }

  /** Notes that a call has failed. If the connection is lost, this logs the loss now. */
  felt(): void {
    if (this.reason !== undefined) {
      this.begin();
    }
  }

  over(): void {
    clearTimeout(this.timer);
    this.timer = this.reason = undefined;
    this.outage.end(this);
  }

  /** Ends, as nobody needs the connection any more. */
  stop(): void {
    this.isStopped = true;
    this.over();
  }

  private begin(): void {
    this.outage.begin(this, this.textOf(this.reason!));
  }
}
