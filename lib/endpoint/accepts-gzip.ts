/**
 * Whether an `Accept-Encoding` allows gzip. A client that sends none may not know how to decompress.
 * https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
 */
export function acceptsGzip(header: string | undefined): boolean {
  const weights = new Map(header?.split(',').map(weightOf));
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0;
}

function weightOf(part: string): [string, number] {
  const [coding = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  return [coding, weight === undefined ? 1 : Number(weight.slice(2)) || 0];
}
