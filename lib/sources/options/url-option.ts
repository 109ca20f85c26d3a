/** The form of a server's URL. */
export interface UrlForm {
  /** The schemes, without `://`. */
  readonly schemes: readonly string[];
  /** Whether the URL must name a host; without one, a default would be taken. */
  readonly needsHost: boolean;
}

/** A scheme that is safe to repeat: a password does not begin like this. */
const KNOWN_SCHEME =
  /^(?:jdbc:)?(?:postgres|postgresql|redis|rediss|valkey|valkeys|mysql|mongodb|https?|tcp|unix|socket)[:/]+/i;

/** A percent sign that encodes nothing. */
const LONE_PERCENT = /%(?![0-9a-f]{2})/i;

/**
 * Returns the fault of a URL, without repeating any part of it: in a mistyped URL every part may be the
 * password. Returns `undefined` for a good one.
 */
export function urlFault(text: string, { schemes, needsHost }: UrlForm): string | undefined {
  if (text === '') {
    return 'is an empty string';
  }
  if (/^\s*\w+\s*=/.test(text)) {
    return 'is a string of key=value pairs, not a URL';
  }
  const shown = JSON.stringify(`${KNOWN_SCHEME.exec(text)?.[0] ?? ''}***`);
  const fault = faultIn(text, schemes, needsHost);
  return fault && `is ${shown}, ${fault}`;
}

function faultIn(text: string, schemes: readonly string[], needsHost: boolean): string | undefined {
  if (!schemes.some((scheme) => text.startsWith(`${scheme}://`))) {
    return `which does not begin with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`;
  }
  if (LONE_PERCENT.test(text)) {
    return 'in which a % is not followed by two hexadecimal digits; write a % as %25';
  }
  let url: URL;
  try {
    // The standard's parser wants a host after an @; where none is needed, the default one is taken.
    url = new URL(
      needsHost ? text : text.replace('@/', '@localhost/').replace('@?', '@localhost?'),
    );
    // "%ff" is well formed, and no text.
    [url.username, url.password, url.pathname].forEach(decodeURIComponent);
  } catch {
    // The parser's error repeats its input, so it is not passed on as the cause.
    return 'which cannot be read: the port must be a number up to 65535, and special characters of user and password must be percent-encoded';
  }
  if (isCut(url)) {
    return 'in which an @ stands behind the host; percent-encode / ? # and @ in user and password';
  }
  if (needsHost && url.hostname === '') {
    return 'which names no host';
  }
  return undefined;
}

/** Whether a character of the password has ended the host's part, so that an @ is left over. */
function isCut(url: URL): boolean {
  const isParameter = /[?&](?:user|password)=[^&]*@/.test(url.search);
  return (
    url.pathname.includes('@') ||
    url.hash.includes('@') ||
    (url.search.includes('@') && url.username === '' && !isParameter)
  );
}
