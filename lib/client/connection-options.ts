/** A value, or a function that gives it, at once or later. */
type Given<T> = T | (() => T | PromiseLike<T>);

/** What the client needs of `fetch`. The platform's has it, and so have others, such as `expo/fetch`. */
export type ClientFetch = (url: string, init: ClientRequest) => Promise<ClientResponse>;

export interface ClientRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Record<string, string>;
  readonly body?: string;
  readonly cache: 'no-store';
  readonly credentials?: 'omit' | 'same-origin' | 'include';
  readonly signal: AbortSignal;
}

export interface ClientResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: {
    getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array }> };
  } | null;
}

/** How a client reaches its server. */
export interface ConnectionOptions {
  /**
   * The headers of each request, such as `{ authorization: … }`, or a function that gives them: it is
   * asked before each request, and once more after an answer of 401. A function that throws makes the
   * client wait and ask again. Default: none
   */
  readonly headers?: Given<Readonly<Record<string, string>>>;
  /** The token of an `Authorization: Bearer` header, asked for as `headers` is. Default: none */
  readonly token?: Given<string>;
  /** Whether cookies go with the request, as for `fetch`. Default: what `fetch` does, `same-origin` */
  readonly credentials?: 'omit' | 'same-origin' | 'include';
  /** Makes the requests. Its response needs a `body` that can be read in parts. Default: `fetch` */
  readonly fetch?: ClientFetch;
  /**
   * After how many milliseconds without a byte a connection is given up for a new one; 0 for never. It
   * must be longer than twice the server's `heartbeat`, and counts for the wait for an answer as well.
   * Default: 45,000
   */
  readonly silence?: number;
}
