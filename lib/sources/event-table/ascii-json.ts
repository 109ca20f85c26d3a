/** Writes JSON without characters that an encoding may lack: they stand in strings only. */
export function asciiJson(json: string): string {
  return json.replaceAll(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
