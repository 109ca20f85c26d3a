import { shown } from '../channel/shown.js';
import { UsageError } from './usage-error.js';

/** The longest time that a timer takes, in whole seconds. */
const MOST_SECONDS = 2_147_483;

/** The options of every command that talks to a server. */
export const HTTP_OPTIONS = {
  header: { type: 'string', short: 'H', multiple: true },
  insecure: { type: 'boolean' },
  timeout: { type: 'string' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** What the help of such a command says of those that mean the same in each. */
export const HEADER_USAGE = `\
  -H, --header <header>   such as 'Authorization: Bearer …'; may be given several times`;
export const INSECURE_USAGE = `\
  --insecure              take any certificate. NODE_EXTRA_CA_CERTS names those of an authority of yours`;

/** What these options say. Durations in milliseconds. */
export interface HttpSettings {
  readonly url: URL;
  /** With what the address says of a user and a password. */
  readonly headers: Readonly<Record<string, string>>;
  readonly insecure: boolean;
  readonly timeout: number | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** What `parseArgs()` makes of `HTTP_OPTIONS`, among others, when it gives tokens and positionals. */
interface ParsedArguments {
  readonly values: {
    readonly header?: readonly string[] | undefined;
    readonly insecure?: boolean | undefined;
    readonly timeout?: string | undefined;
    readonly json?: boolean | undefined;
    readonly quiet?: boolean | undefined;
  };
  readonly positionals: readonly string[];
  readonly tokens: readonly { kind: string; name?: string; value?: unknown }[];
}

/** The shared options of a command, of which none is given twice but the headers. @throws UsageError */
export function httpSettings({ values, positionals, tokens }: ParsedArguments): HttpSettings {
  refuseRepeated(tokens, ['header']);
  return {
    ...addressOf(positionals, headersOf(values.header)),
    insecure: values.insecure === true,
    timeout: secondsOf('timeout', values.timeout),
    json: values.json === true,
    quiet: values.quiet === true,
  };
}

/**
 * The address of a command, and the headers with what its user and password say.
 * @throws UsageError unless there is one, of HTTP
 */
function addressOf(
  positionals: readonly string[],
  headers: Readonly<Record<string, string>>,
): { url: URL; headers: Readonly<Record<string, string>> } {
  const [text, ...others] = positionals;
  if (text === undefined || others.length > 0) {
    throw new UsageError(
      text === undefined
        ? 'The address is missing. Give it, as http://localhost:3000/events.'
        : `There are ${positionals.length} addresses. Give one, and in quotes if it has an &.`,
    );
  }
  // A path, a user or a password may be a secret, so the address is not repeated.
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(address) || !/^https?:/i.test(address)) {
    throw new UsageError(
      'The address is no URL of http or https, as http://localhost:3000/events.',
    );
  }
  const url = new URL(address);
  const { username, password } = url;
  url.username = url.password = url.hash = '';
  if (username === '' && password === '') {
    return { url, headers };
  }
  const user = `${decoded(username)}:${decoded(password)}`;
  const authorization = `Basic ${Buffer.from(user).toString('base64')}`;
  return { url, headers: { authorization, ...headers } };
}

/** A part of an address, as it is where a percent sign stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Headers as `Name: value`, by their names in lower case. @throws UsageError */
function headersOf(lines: readonly string[] = []): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value] =
      /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      // It may be a token, so it is not repeated.
      throw new UsageError("A header is not like 'Name: value' in the characters of HTTP.");
    }
    headers[name.toLowerCase()] = value.trim();
  }
  return headers;
}

/** A whole number of an option. @throws UsageError */
export function wholeOf(
  name: string,
  text: string | undefined,
  from = 1,
  to = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (text === undefined) {
    return undefined;
  }
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < from || value > to) {
    throw new UsageError(`--${name} is ${shown(text)}. Give a whole number from ${from} to ${to}.`);
  }
  return value;
}

/** Whole seconds of an option, in milliseconds. @throws UsageError */
export function secondsOf(name: string, text: string | undefined, from = 1): number | undefined {
  const seconds = wholeOf(name, text, from, MOST_SECONDS);
  return seconds === undefined ? undefined : seconds * 1_000;
}

/** Of several values, `parseArgs` silently takes the last one. @throws UsageError */
export function refuseRepeated(
  tokens: readonly { kind: string; name?: string; value?: unknown }[],
  repeatable: readonly string[],
  isShown = false,
): void {
  const seen = new Map<string | undefined, unknown>();
  for (const { kind, name, value } of tokens) {
    if (kind !== 'option' || repeatable.includes(name!)) {
      continue;
    }
    if (seen.has(name)) {
      const values =
        value === undefined || !isShown ? '' : `: ${shown(seen.get(name))} and ${shown(value)}`;
      throw new UsageError(`--${name} is given twice${values}. Give it once.`);
    }
    seen.set(name, value);
  }
}
