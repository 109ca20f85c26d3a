/** Calls the sample's server. Throws an Error that can be shown to people. */
export async function call(method, path, body, type = 'application/json') {
  let response;
  try {
    response = await fetch(path, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': type },
        body: type === 'application/json' ? JSON.stringify(body) : body,
      }),
      signal: AbortSignal.timeout(8_000),
    });
  } catch (error) {
    throw new Error(
      error.name === 'TimeoutError'
        ? `${method} ${path}: no answer within 8 s. A browser opens six connections per address over HTTP/1.1, for all tabs together.`
        : `${method} ${path}: the server cannot be reached.`,
      { cause: error },
    );
  }
  const text = await response.text();
  if (response.ok) return text ? JSON.parse(text) : undefined;
  throw new Error(`${method} ${path}: ${response.status} ${messageOf(text)}`);
}

function messageOf(text) {
  try {
    return JSON.parse(text).message;
  } catch {
    return text;
  }
}
