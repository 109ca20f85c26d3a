import { setImmediate } from 'node:timers/promises';
import type { ChangingSubscription } from '../delivery/changing-subscription.js';
import type { CountedAs } from '../delivery/client.js';
import type { Connection } from '../delivery/connection.js';
import type { Delivery } from '../delivery/delivery.js';
import type { ChannelRequest } from '../delivery/channel-request.js';
import type { Decide, WhileHere } from './authorization.js';
import { RequestGone } from './stay.js';

/** What a set needs to know of its endpoint and its request. */
export interface ChannelSetOptions {
  /** The endpoint, for messages. */
  readonly where: string;
  readonly delivery: Delivery;
  /** Whether the endpoint counts who is present. */
  readonly presence: boolean | 'events' | undefined;
  /** How many connections a channel may have. */
  readonly connectionsPerChannel: number;
  /** Reads what the Observable has emitted. @throws an error when the request may not have such channels */
  readonly namesOf: (emitted: unknown) => readonly string[];
  readonly requestOf: (name: string) => ChannelRequest;
  /** Asks the application which channels the client may read; `undefined` for all. */
  readonly decide: Decide | undefined;
  /** Whether the client is kept from a channel for a time. */
  readonly isBlocked: (channel: string) => boolean;
}

/** A set as the Observable has told it. */
export interface ToldSet {
  readonly names: ReadonlySet<string>;
  /** When, on the clock of `monotonicNow()`. */
  readonly at: number;
}

/** The set that a stream is to have. */
export interface WantedSet {
  /** What the Observable has told last. */
  readonly told: ToldSet | undefined;
  /** Why the set is over, once it is. */
  readonly failure: object | undefined;
  isWanted(name: string): boolean;
  /** Waits for a promise, but no longer than the set is open. */
  readonly whileOpen: WhileHere;
  /** Ends the set. @param what what has failed, for the log. Default: the Observable */
  error(cause: unknown, what?: string): void;
  /** Called when the stream may have the set that was told last. */
  finish(): void;
}

/** An open stream whose channels change. */
interface Stream {
  readonly connection: Connection;
  readonly subscription: ChangingSubscription;
  readonly counted: CountedAs;
}

/** Makes the set of an open stream what its Observable has told last. */
export class SetChanges {
  /** The set that the stream has, once every channel of it has been added or denied. */
  made: ToldSet | undefined;
  private isAdding = false;
  /** The channels that are being added, without those that have left the set meanwhile. */
  private readonly joining = new Set<string>();
  /** The channels of the set that the client may not read, and knows it. */
  private denied: ReadonlySet<string>;

  constructor(
    private readonly set: WantedSet,
    private readonly options: ChannelSetOptions,
    private readonly stream: Stream,
    made: ToldSet | undefined,
    denied: readonly string[],
  ) {
    this.made = made;
    this.denied = new Set(denied);
  }

  /** Takes channels out at once, and adds others as soon as the application has allowed them. */
  make(): void {
    this.remove();
    if (!this.isAdding) {
      void this.addAll();
    }
  }

  end(frame: string): void {
    this.stream.connection.end(frame, 'error');
  }

  private remove(): void {
    if (this.stream.subscription.keep(this.isWanted)) {
      this.attend();
    }
    this.denied = new Set([...this.denied].filter(this.isWanted));
    // A channel that leaves and comes back is asked about again.
    [...this.joining]
      .filter((name) => !this.isWanted(name))
      .forEach((name) => this.joining.delete(name));
  }

  /** Counts the client in the channels that it reads from now on. */
  private attend(): void {
    const { connection, counted } = this.stream;
    this.options.delivery.attend(connection, counted, this.options.presence);
  }

  private readonly isWanted = (name: string): boolean => this.set.isWanted(name);

  private readonly isJoining = (name: string): boolean => this.joining.has(name);

  private get isOpen(): boolean {
    return this.stream.connection.endReason === undefined && !this.set.failure;
  }

  /** Adds channels until the stream has the set that was told last: it may change meanwhile. */
  private async addAll(): Promise<void> {
    const { set } = this;
    this.isAdding = true;
    try {
      while (this.isOpen && this.made !== set.told) {
        const { told } = set;
        this.remove();
        const adding = this.add(told!);
        // Without a wait, the channels have what is published next.
        if (adding) {
          await adding;
        }
        this.made = told;
        if (adding && set.told !== told) {
          // An `authorize` that makes the Observable emit must not keep the process from all else.
          await setImmediate();
        }
      }
    } catch (error) {
      if (!(error instanceof RequestGone)) {
        set.error(error);
      }
    } finally {
      this.isAdding = false;
      set.finish();
    }
  }

  private add({ names, at }: ToldSet): Promise<void> | undefined {
    const { decide } = this.options;
    const present = new Set(this.stream.subscription.channels);
    const added = [...names].filter((name) => !present.has(name));
    if (added.length === 0) {
      return undefined;
    }
    this.joining.clear();
    added.forEach((name) => this.joining.add(name));
    return decide
      ? decide(added, this.set.whileOpen).then(
          ({ allowed, denied }) => {
            this.deny(denied);
            return this.open(allowed, at);
          },
          (error: unknown) => this.failToDecide(error),
        )
      : this.open(added, at);
  }

  private failToDecide(error: unknown): void {
    if (!(error instanceof RequestGone)) {
      this.set.error(error, `\`authorize\` of ${this.options.where}`);
    }
  }

  private deny(names: readonly string[]): void {
    const news = names.filter((name) => this.isJoining(name) && !this.denied.has(name));
    if (news.length > 0) {
      this.denied = new Set([...this.denied, ...news]);
      this.stream.subscription.deny(news);
    }
  }

  /** @param toldAt when the set was told that has these channels */
  private open(allowed: readonly string[], toldAt: number): Promise<void> | undefined {
    const { delivery, connectionsPerChannel, requestOf, isBlocked } = this.options;
    const { connection, subscription, counted } = this.stream;
    this.deny(allowed.filter(isBlocked));
    const names = allowed.filter((name) => this.isJoining(name) && !isBlocked(name));
    if (!this.isOpen || names.length === 0) {
      return undefined;
    }
    this.denied = new Set([...this.denied].filter((name) => !names.includes(name)));
    const cursors = subscription.prepare(names.map(requestOf), connectionsPerChannel);
    const add = (): void => {
      // The client may have been disconnected from one of them after the set was told.
      if (delivery.revocations.refusalOf(counted, { channels: names }, toldAt)) {
        delivery.revocations.end([connection], undefined);
      } else {
        subscription.add(cursors, this.isJoining);
        this.attend();
      }
    };
    const ready = subscription.whenReady(cursors, delivery.readyTimeout);
    return ready ? ready.then(add) : void add();
  }
}
