/** What the sample takes from its environment. */
export interface Settings {
  /** `PORT`: where the sample listens; 0 picks a free one. Defaults to 3000. */
  readonly port: number;
  /** `REDIS_URL`: the Redis that holds the cache keys. Unset: in this process. */
  readonly redisUrl?: string;
  /** `DATABASE_URL`: the Postgres that holds the users. Unset: an embedded one. */
  readonly databaseUrl?: string;
}

/** A mistake of whoever starts the sample: shown without a stack. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Reads and checks the settings. Throws a `StartError` that says which one is wrong. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const redisUrl = readUrl(environment, 'REDIS_URL', ['redis:', 'rediss:']);
  const databaseUrl = readUrl(environment, 'DATABASE_URL', ['postgres:', 'postgresql:']);
  return {
    port: readPort(environment.PORT),
    ...(redisUrl && { redisUrl }),
    ...(databaseUrl && { databaseUrl }),
  };
}

/** The URL as it may be shown: whatever is secret in it becomes `****`. */
export function maskUrl(text: string): string {
  const url = new URL(text);
  if (url.password) url.password = '****';
  for (const name of url.searchParams.keys()) {
    if (/password|token|secret/i.test(name)) url.searchParams.set(name, '****');
  }
  return url.href;
}

function readPort(text = '3000'): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new StartError(
      `PORT is "${text}". Set it to a number from 0 to 65535, or leave it out for 3000.`,
    );
  }
  return port;
}

function readUrl(
  environment: NodeJS.ProcessEnv,
  name: string,
  protocols: string[],
): string | undefined {
  const text = environment[name];
  if (!text) return undefined;
  if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
    // The value may hold a password, so it is not repeated.
    throw new StartError(
      `${name} is not a URL that starts with ${protocols.join('// or ')}//. Correct it, or leave it out.`,
    );
  }
  return text;
}
