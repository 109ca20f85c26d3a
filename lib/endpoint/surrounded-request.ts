import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Observable, Observer } from 'rxjs';
import type { Guard } from '../channel/guard.js';
import { SseError } from '../channel/sse-error.js';
import type { StreamRequest } from './stream-request.js';

/** How long an interceptor that emits nothing may take to write the response by itself. */
const OWN_ANSWER_MS = 1_000;

const surrounded = new WeakMap<object, SurroundedRequest>();

/** The request as our outermost interceptor has noted it, if the endpoint has one. */
export function surroundedRequest(request: object): SurroundedRequest | undefined {
  return surrounded.get(request);
}

/**
 * A request on its way through the application's interceptors, between our outermost interceptor
 * and the endpoint. It writes what comes out of them as events, unless the endpoint answers by
 * itself.
 */
export class SurroundedRequest implements Observer<unknown> {
  /** Whether the interceptors have called the endpoint. */
  isReached = false;
  /** Whether clients received what an interceptor emitted without calling the endpoint. */
  isReplaced = false;
  /** Who answers the request, once that is known. */
  private answeredBy: 'handler' | 'endpoint' | 'interceptor' | undefined;
  private begun!: () => void;
  private failed!: (cause: unknown) => void;

  constructor(
    readonly request: StreamRequest,
    private readonly guard: Guard,
  ) {
    surrounded.set(request.exchange.request, this);
  }

  /**
   * Subscribes to the result of the interceptors. Resolves once the request has been answered;
   * rejects with an error for the exception filters.
   */
  follow(result: Observable<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.begun = resolve;
      this.failed = reject;
      this.request.writer.subscribe(result, this);
    });
  }

  /** Streams the handler's Observable, which the endpoint hands to the interceptors. */
  streamHandler(): void {
    // An interceptor may call the endpoint again after an error.
    if (!this.answeredBy) {
      this.answeredBy = 'handler';
      this.request.streamHandler().then(this.begun, this.failed);
    }
  }

  /** Notes that the endpoint has answered: from now on, what interceptors emit has no effect. */
  noteAnswered(): void {
    this.answeredBy = 'endpoint';
    this.begun();
  }

  next(emitted: unknown): void {
    if (this.answeredBy !== 'endpoint') {
      this.request.writer.next(emitted);
      this.look();
    }
  }

  error(cause: unknown): void {
    if (this.answeredBy === 'endpoint') {
      this.guard.report(`An interceptor around ${this.request.route.where}`, cause);
      return;
    }
    this.request.writer.error(cause);
    this.look();
  }

  complete(): void {
    if (this.answeredBy !== 'endpoint') {
      this.request.writer.complete();
    }
    if (!this.answeredBy) {
      this.answeredBy = 'interceptor';
      this.answer().then(this.begun, this.failed);
    }
  }

  /** Before anybody answers, exception filters can still answer a failure. */
  private look(): void {
    const { failure } = this.request.writer;
    if (failure && !this.answeredBy) {
      this.failed(failure.cause);
    }
  }

  /**
   * Answers with what an interceptor, such as a cache, has emitted in the endpoint's place.
   */
  private async answer(): Promise<void> {
    const { exchange, writer, route } = this.request;
    await setImmediate();
    if (writer.isEmpty && !exchange.hasBegun) {
      await setTimeout(OWN_ANSWER_MS);
    }
    if (exchange.hasBegun || exchange.isGone) {
      return;
    }
    if (writer.isEmpty) {
      throw new SseError(
        'INVALID_OPTION',
        `An interceptor around ${route.where} answered in its place, but emitted nothing and did not ` +
          'write the response. Let it call next.handle(), emit something, or throw.',
      );
    }
    this.isReplaced = !this.isReached;
    if (exchange.isHead) {
      await exchange.answer();
    } else if (await this.request.admit()) {
      await this.request.streamHandler();
    }
  }
}
