import type { CountedAs } from '../delivery/client.js';
import type { Delivery } from '../delivery/delivery.js';
import type { SseSettings } from '../setup/settings.js';
import { countedOf, expiryOf, tooManyStreams } from './access.js';
import { Exchange, type RequestAndResponse } from './exchange.js';
import { RevocationCheck } from './revocation-check.js';
import type { Route } from './route.js';

/** What a promise of an answer without a stream becomes: the request goes no further. */
export const isRefused = (): boolean => false;

/** One request, and its place among the open connections. What needs no wait returns no promise. */
export class RequestPlace {
  readonly exchange: Exchange;
  /** In milliseconds since the epoch. */
  protected expiresAt: number | undefined;
  /** For whom it counts, once it is admitted. */
  counted: CountedAs = '';
  protected readonly revocation: RevocationCheck;

  constructor(
    given: RequestAndResponse,
    readonly route: Route,
    protected readonly settings: SseSettings,
    protected readonly delivery: Delivery,
    /** Whose method the endpoint is, if the route has functions. */
    public controller: object | undefined,
  ) {
    this.exchange = new Exchange(given, route.options.run === true);
    this.revocation = new RevocationCheck(delivery.revocations, this.exchange);
  }

  /** Notes the request while interceptors work on it. False when a shutdown has sent it away. */
  meet(): boolean {
    return this.delivery.connections.meet(this.exchange);
  }

  /** Takes the place back, unless the request has become a stream. */
  dismiss(): void {
    this.delivery.connections.dismiss(this.exchange);
  }

  /**
   * Waits for the request's turn, asks the application who the client is and until when it may
   * read, and gives the request its place. False when the request has been answered or is gone.
   *
   * @throws SseError `INVALID_OPTION` for an invalid answer of the application
   * @throws HttpException 401 when the permission has ended, 403 when the request has come with
   * somebody else's ticket, 429 for too many connections
   */
  admit(): boolean | Promise<boolean> {
    const turn = this.exchange.turn();
    return turn ? turn.then((isOurs) => isOurs && this.enter()) : this.enter();
  }

  private enter(): boolean | Promise<boolean> {
    const { exchange, settings, delivery, controller, revocation } = this;
    const { options, where } = this.route;
    if (exchange.isGone) {
      return false;
    }
    this.expiresAt = expiryOf(options.expires?.call(controller, exchange.request), where);
    const client = options.client?.bind(controller) ?? settings.client;
    // Only where the streams of an address are limited do we ask for it.
    const isLimited = settings.limits.connectionsPerClient !== Infinity;
    this.counted = countedOf(exchange.request, client, where, isLimited);
    const areRevocationsKnown = delivery.revocations.areKnown;
    const answered = areRevocationsKnown && revocation.answer(this.counted);
    if (answered) {
      return answered.then(isRefused);
    }
    const refusal = delivery.connections.admit(exchange, this.counted);
    if (refusal === 'client-limit') {
      throw tooManyStreams();
    }
    if (refusal) {
      return exchange.answerAway(delivery.connections.awayTime).then(isRefused);
    }
    return areRevocationsKnown || this.waitForRevocations();
  }

  /** Waits in its place, so that the limits hold, and a shutdown sends it away. */
  private async waitForRevocations(): Promise<boolean> {
    const { exchange, settings, delivery, revocation } = this;
    await exchange.whileHere(delivery.revocations.whenKnown(settings.readyTimeout));
    const answered = revocation.answer(this.counted);
    await answered;
    return !answered;
  }
}
