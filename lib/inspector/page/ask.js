/** Requests to the routes beside the page, and their errors in words. */

/** How long an answer may take, in ms. */
const TIMEOUT = 15_000;
/** Said of a success that is none of the inspector. */
const NOT_OURS = 'Something else than the inspector has answered, such as a page to log in at.';

/** An answer that is no success, or none at all. `status` is 0 where nobody has answered. */
export class AskError extends Error {
  /**
   * @param {string} message
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * The address of a route. Scripts are in {path}/assets/, so this holds behind proxies with a path, too.
 * @param {string} route
 * @param {Readonly<Record<string, string | number>>} [query] empty values are left out
 */
export function routeUrl(route, query = {}) {
  const url = new URL(`../${route}`, import.meta.url);
  for (const [name, value] of Object.entries(query)) {
    if (value !== '') url.searchParams.set(name, String(value));
  }
  return url.href;
}

/**
 * @template Answer
 * @param {string} route
 * @param {Readonly<Record<string, string | number>>} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer>}
 * @throws AskError; whatever the signal was aborted with
 */
export async function ask(route, query, signal) {
  return request(routeUrl(route, query), { headers: { accept: 'application/json' } }, signal);
}

/**
 * @template Answer
 * @param {string} route
 * @param {object} body
 * @returns {Promise<Answer>}
 * @throws AskError
 */
export async function post(route, body) {
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  return request(routeUrl(route), { method: 'POST', headers, body: JSON.stringify(body) });
}

/**
 * @param {string} url
 * @param {RequestInit} init
 * @param {AbortSignal} [signal]
 */
async function request(url, init, signal) {
  const timeout = AbortSignal.timeout(TIMEOUT);
  const signals = signal ? [signal, timeout] : [timeout];
  try {
    const response = await fetch(url, {
      ...init,
      cache: 'no-store',
      signal: AbortSignal.any(signals),
    });
    if (!response.ok) throw new AskError(await refusalOf(response), response.status);
    const answer = await response.json().catch((error) => {
      if (!(error instanceof SyntaxError)) throw error;
    });
    // Each answer of the inspector names its instance.
    if (typeof answer?.instance !== 'string') throw new AskError(NOT_OURS, response.status);
    return answer;
  } catch (error) {
    if (error instanceof AskError || signal?.aborted) throw error;
    if (timeout.aborted) throw new AskError('The server has not answered in time.', 0);
    throw new AskError('The server cannot be reached.', 0);
  }
}

/** @param {Response} response */
async function refusalOf(response) {
  const { status } = response;
  if (status === 401)
    return 'You are not logged in, or not any more (401). Log in, then reload this page.';
  const body = await response.json().catch(() => undefined);
  const message = typeof body?.message === 'string' ? body.message : '';
  if (status === 403) return message || 'You may not do this (403).';
  return message || `The server has answered with ${status}.`;
}
