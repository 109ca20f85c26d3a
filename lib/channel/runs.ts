/** One event of a run. A run numbers its chunks 1, 2, 3 and so on. */
export interface RunChunk {
  /** The event's text, as it goes on the wire after `data:`. */
  readonly data: string;
  /** The event's name, `event:` on the wire. Unset: a browser's `message`. */
  readonly type?: string | undefined;
  /** True for the run's last chunk. */
  readonly end?: boolean | undefined;
  /**
   * Set for the chunks of a call of `RunStore.end()`: the place among them, from 1. It tells readers how far the
   * run went by then, which a store that has lost chunks knows less of than they do.
   */
  readonly ending?: number | undefined;
}

/** A run, by its channel and the id that the instance which began it made up. */
export interface RunName {
  readonly channel: string;
  /** 1 to 64 letters, digits, `-` and `_`; no two runs have the same. */
  readonly id: string;
}

/** A run that begins. */
export interface NewRun extends RunName {
  /** What readers must know of the run, as text of at most 256 characters. The store only keeps it. */
  readonly format: string;
  /** The run is lost when its instance has not appended for so long, in milliseconds. */
  readonly lease: number;
  /** How long the store keeps the run after its end, in milliseconds. */
  readonly keep: number;
}

/** What a store knows of a run. */
export interface RunRecord extends RunName {
  readonly format: string;
  /** The number of its newest chunk; 0 before the first. */
  readonly head: number;
  readonly hasEnded: boolean;
  /** Milliseconds until the run is lost unless its instance appends; 0 or less: it is lost, and should be ended. */
  readonly leaseLeft: number;
}

/** Chunks that follow the chunk with the number `after`. None: the call only renews the lease. */
export interface RunAppend extends RunName {
  readonly after: number;
  readonly chunks: readonly RunChunk[];
}

/**
 * What has become of a `RunAppend`.
 *
 * - `appended`: the store has the chunks, and the lease begins anew
 * - `ended`: the run has ended before, by a call of `end()`
 * - `gone`: the store has lost the run, or chunks of it
 */
export type AppendResult = 'appended' | 'ended' | 'gone';

/**
 * Where all instances keep their runs. A run belongs to one channel and has a log of its own; a channel
 * has one active run at most, which is one that has not ended. Only the instance that began a run appends
 * to it, one call after the other; any instance may end it.
 *
 * A call that rejects may have done its work. The package repeats it, so that a repeated call must change
 * nothing and resolve as the first would have.
 */
export interface RunStore {
  /**
   * Begins a run, unless the channel has an active one.
   * @returns the channel's active run after the call: the one that begins, or the one that was there
   */
  begin(run: NewRun): Promise<RunRecord>;
  /**
   * Appends to a run in one step. Chunks that the run has already are left out.
   *
   * The package calls it for all runs of an instance that have chunks in a turn, so that a store may gather
   * what it sends. What keeps one run from its chunks must not hold up the others.
   */
  append(append: RunAppend): Promise<AppendResult>;
  /**
   * Appends the last chunks to a run that has not ended, and ends it, in one step.
   *
   * @param isLost end it only if its lease is over
   * @returns whether the run has ended, by this call or before; `false` also when the store has no such run
   */
  end(run: RunName, chunks: readonly RunChunk[], isLost: boolean): Promise<boolean>;
  /** The newest run of a channel, or the one with the id; `undefined` when the store has none. */
  find(channel: string, id?: string): Promise<RunRecord | undefined>;
  /**
   * Chunks that follow the chunk with the number `after`: `limit` of them, or all that there are.
   * @returns `undefined` when the run is gone, or has lost one of these chunks or the one before
   */
  read(run: RunName, after: number, limit: number): Promise<readonly RunChunk[] | undefined>;
  /**
   * Calls `onChunks` with chunks that follow the chunk `after` as they are appended, whoever appends
   * them; without arguments when some may have been missed, once at least after the store listens. Chunks
   * may come again, and with gaps. Returns a function that ends it.
   */
  follow(run: RunName, onChunks: OnChunks): () => void;
  /** Called at shutdown, after the last call of `append()` and `end()`. It must call nobody after this. */
  close(): Promise<void>;
}

/** A run that is kept in this process. */
export interface LocalRun {
  /**
   * Appends as a store does. It answers at once and never fails, and gains nothing from many chunks in a call.
   * @param now the time, on the clock of `monotonicNow()`
   */
  append(after: number, chunks: readonly RunChunk[], now: number): AppendResult;
}

/** A store as this package knows it. */
export interface OwnRunStore extends RunStore {
  /** The run itself, where the store keeps it in this process, for the instance that has begun it. */
  local?(run: RunName): LocalRun | undefined;
  /**
   * Like `follow()`, for the instance that has begun the run: it knows the chunks, and needs to hear only those
   * with which a call of `end()` has ended it. Default: `follow()`.
   */
  followEnd?(run: RunName, onChunks: OnChunks): () => void;
}

export type OnChunks = (after?: number, chunks?: readonly RunChunk[]) => void;
