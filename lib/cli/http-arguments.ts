import { shown } from '../channel/shown.js';
import { UsageError } from './usage-error.js';

/** The longest time that a timer takes, in whole seconds. */
export const MOST_SECONDS = 2_147_483;

/**
 * The address of a command, and the headers with what its user and password say.
 * @throws UsageError unless there is one, of HTTP
 */
export function addressOf(
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
export function headersOf(lines: readonly string[] = []): Record<string, string> {
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
