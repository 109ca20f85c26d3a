/** Parses text that is a JSON object or array, and returns any other text unchanged. */
export function parsedData(data: string): string | object {
  if (!data.startsWith('{') && !data.startsWith('[')) {
    return data;
  }
  try {
    return JSON.parse(data) as object;
  } catch {
    return data;
  }
}
