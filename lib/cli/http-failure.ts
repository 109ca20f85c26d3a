import { reasonOf } from '../channel/reason.js';

/**
 * The error of a failed `fetch()`, or of its body, with its cause in words and without the address.
 *
 * @param what what it means
 */
export function failureOf(error: unknown, what = 'The server cannot be reached'): Error {
  const { name, cause } = Object(error) as Partial<Error>;
  if (name === 'AbortError' || cause === undefined) {
    return error as Error;
  }
  const {
    message = '',
    code = '',
    errors,
  } = Object(cause) as {
    message?: string;
    code?: string;
    errors?: readonly unknown[];
  };
  // Node leaves the message of a failed connection to several addresses empty.
  const text = message || (errors ?? []).map(reasonOf).join(', ') || code || reasonOf(cause);
  const remedy = /CERT|LEAF_SIGNATURE|INVALID_CA/.test(code)
    ? ' Name its authority in NODE_EXTRA_CA_CERTS, or take any with --insecure.'
    : '';
  const failure = new Error(`${text}.${remedy}`, { cause: error });
  failure.name = what;
  return failure;
}
