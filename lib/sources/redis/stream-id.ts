/** A stream id: `<milliseconds>-<number>`, each an unsigned integer of up to 64 bits. */
const STREAM_ID = /^(\d{1,20})-(\d{1,20})$/;

/** Whether a text has the form of a stream id. */
export function isStreamId(text: string): boolean {
  return STREAM_ID.test(text);
}

/** Orders two stream ids: below zero when `a` is before `b`. */
export function compareStreamIds(a: string, b: string): number {
  const [dashOfA, dashOfB] = [a.indexOf('-'), b.indexOf('-')];
  return (
    compareNumbers(a.slice(0, dashOfA), b.slice(0, dashOfB)) ||
    compareNumbers(a.slice(dashOfA + 1), b.slice(dashOfB + 1))
  );
}

/** The id that is `steps` after another one in the same millisecond. */
export function laterStreamId(id: string, steps: number): string {
  const dash = id.indexOf('-');
  return `${id.slice(0, dash)}-${Number(id.slice(dash + 1)) + steps}`;
}

/** Digits are compared as text, as the numbers may be beyond what a double holds exactly. */
function compareNumbers(a: string, b: string): number {
  if (a === b) {
    return 0;
  }
  if (a.length !== b.length) {
    return a.replace(/^0+/, '').length - b.replace(/^0+/, '').length || (a < b ? -1 : 1);
  }
  return a < b ? -1 : 1;
}
