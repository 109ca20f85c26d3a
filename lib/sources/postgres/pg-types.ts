/**
 * The parts of `pg` that we use, described by shape: the package is an optional peer, and an
 * application without Postgres must compile without its types.
 */

/**
 * Anything that runs a statement: a `pg.Client`, a `pg.Pool`, a pooled client. Those of `pg` also
 * take an object in place of the text.
 */
export interface PgQueryable<Statement = string> {
  query(text: Statement, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** A `pg.Client`, as far as the listener needs it. */
export interface PgClient extends PgQueryable {
  readonly processID: number | null;
  readonly host: string;
  readonly port: number;
  readonly database: string | undefined;
  /** Whether results come in binary. */
  binary: boolean;
  readonly connection: { readonly stream: { destroy(): unknown; readonly bytesRead?: number } };
  connect(): Promise<unknown>;
  connect(callback: (error?: unknown) => void): void;
  end(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  on(event: 'notification', listener: (message: PgNotification) => void): unknown;
}

/** A `pg.Pool`, as far as one-off statements need it. */
export interface PgPool extends PgQueryable {
  end(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface PgNotification {
  readonly channel: string;
  readonly payload?: string | undefined;
}

/** The package `pg`, as `import('pg')` gives it. */
export interface PgModule {
  readonly Client: new (config: object) => PgClient;
  readonly Pool: new (config: object) => PgPool;
}
