/** What the sample takes from its environment. */
export interface Settings {
  /** `PORT`: where the sample listens; 0 picks a free one. Defaults to 3000. */
  readonly port: number;
  /** `REDIS_URL`: the Redis that holds the cache keys. Unset: in this process. */
  readonly redisUrl?: string;
  /** `DATABASE_URL`: the Postgres that holds the users. Unset: an embedded one. */
  readonly databaseUrl?: string;
  /** `PUBLISH_TOKEN`: what programs prove themselves by that publish over HTTP, and the inspector's password. Unset: `sample`. */
  readonly publishToken?: string;
  /** `OTEL_EXPORTER_OTLP_ENDPOINT`: where metrics and traces are exported to. Unset: nowhere. */
  readonly otlpEndpoint?: string;
}

/** A mistake of whoever starts the sample: shown without a stack. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Reads and checks the settings. Throws a `StartError` that says which one is wrong. */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const redisUrl = readUrl(environment, 'REDIS_URL', ['redis:', 'rediss:']);
  const databaseUrl = readUrl(environment, 'DATABASE_URL', ['postgres:', 'postgresql:']);
  const otlpEndpoint = readUrl(environment, 'OTEL_EXPORTER_OTLP_ENDPOINT', ['http:', 'https:']);
  return {
    port: readPort(environment.PORT),
    ...(redisUrl && { redisUrl }),
    ...(databaseUrl && { databaseUrl }),
    ...(otlpEndpoint && { otlpEndpoint }),
    ...(environment.PUBLISH_TOKEN && { publishToken: environment.PUBLISH_TOKEN }),
  };
}

/** The URL as it may be shown: whatever may be secret in it becomes `****`. */
export function maskUrl(text: string): string {
  const { protocol, username, password, host, pathname, search, hash } = new URL(text);
  // An @ behind the host: a character of the password has ended the part before it.
  if (`${pathname}${search}${hash}`.includes('@')) return `${protocol}//****`;
  // Without a password, the name of the user may be one.
  const user = password ? `${username}:****@` : username && '****@';
  const query = search.replace(/([?&])([^=&]*)(=[^&]*)?/g, maskParameter);
  return `${protocol}//${user}${host}${pathname}${query}${hash && '#****'}`;
}

function maskParameter(text: string, mark: string, name: string, value?: string): string {
  if (name === 'sslmode') return text;
  return value === undefined ? `${mark}****` : `${mark}${name}=****`;
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
