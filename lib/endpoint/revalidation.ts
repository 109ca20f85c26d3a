import { settledWithin } from '../channel/deadline.js';
import { kindOf } from '../channel/shown.js';
import { SseError } from '../channel/sse-error.js';
import { Turns } from '../channel/turns.js';
import type { Connection } from '../delivery/connection.js';
import type { Delivery } from '../delivery/delivery.js';
import { Walk } from '../delivery/walk.js';
import type { RevalidateOption } from '../setup/revalidate-option.js';
import type { Exchange } from './exchange.js';
import type { FrameworkRequest } from './framework-request.js';
import { sharedByStreams, type Route } from './route.js';

/** The most checks of one endpoint under way at a time. */
const MOST_CHECKS = 50;
/** How long a check may take, in milliseconds. */
const CHECK_MS = 30_000;

/** Whom a check is about. */
interface Asked {
  readonly request: FrameworkRequest;
  readonly controller: object | undefined;
}

/** Asks again, while the streams of an endpoint are open, whether their clients may still read them. */
export class Revalidation {
  private readonly requests = new Map<Connection, Asked>();
  /** The connections whose check waits, or is under way. */
  private readonly asked = new Set<Connection>();
  private readonly turns = new Turns(MOST_CHECKS);
  private readonly walk: Walk<Connection>;

  constructor(
    private readonly option: RevalidateOption,
    /** The endpoint, for messages. */
    private readonly where: string,
    private readonly delivery: Delivery,
    private readonly checkTimeout = CHECK_MS,
  ) {
    this.walk = new Walk(
      this.requests,
      option.interval,
      (connection) => this.ask(connection),
      delivery.detach,
    );
  }

  /** Asks about a connection about once per interval, for as long as it is open. */
  add(
    connection: Connection,
    exchange: Pick<Exchange, 'request' | 'onceClosed'>,
    controller?: object,
  ): void {
    this.requests.set(connection, { request: exchange.request, controller });
    this.walk.start();
    exchange.onceClosed(() => {
      this.requests.delete(connection);
      if (this.requests.size === 0) {
        this.walk.stop();
      }
    });
  }

  private ask(connection: Connection): void {
    if (!this.asked.has(connection)) {
      this.asked.add(connection);
      void this.turns
        .take(() => this.check(connection))
        .finally(() => this.asked.delete(connection));
    }
  }

  private async check(connection: Connection): Promise<void> {
    const asked = this.requests.get(connection);
    if (asked && connection.endReason === undefined && !(await this.mayStay(asked))) {
      this.delivery.revocations.end([connection], 'revalidate');
    }
  }

  /** Only `true` lets a client stay: an error, or no answer in time, does not. */
  private async mayStay({ request, controller }: Asked): Promise<boolean> {
    const { guard } = this.delivery;
    const what = `\`revalidate.check\` of ${this.where}`;
    let mayStay = false;
    const asked = (async () => {
      const answer: unknown = await this.option.check.call(controller, request);
      if (typeof answer !== 'boolean') {
        throw new SseError(
          'INVALID_OPTION',
          `It returned ${kindOf(answer)}. It must return true or false, or a promise of one.`,
        );
      }
      mayStay = answer;
    })();
    // Reports a rejection that comes too late as well.
    asked.catch((error: unknown) => guard.report(what, error));
    if (!(await settledWithin(asked, this.checkTimeout))) {
      guard.report(what, new Error(`no answer within ${this.checkTimeout} ms`));
    }
    return mayStay;
  }
}

const shared = sharedByStreams(
  ({ options, where }, delivery) => new Revalidation(options.revalidate!, where, delivery),
);

/** The revalidation of an endpoint; `undefined` when it has none. */
export function revalidationOf(route: Route, delivery: Delivery): Revalidation | undefined {
  return route.options.revalidate && shared(route, delivery);
}
