/** The byte that starts every payload and occurs nowhere else on the wire: `~`. */
export const MARKER = 0x7e;

/** Digits of the sequence number that follows the marker. */
export const SEQUENCE_DIGITS = 10;

/** Digits of the time that follows the sequence number, in microseconds. */
export const TIME_DIGITS = 16;

/** Size of every payload in bytes. */
export const PAYLOAD_SIZE = 100;

const FILL = 'x'.repeat(PAYLOAD_SIZE - 1 - SEQUENCE_DIGITS - TIME_DIGITS);

/** The monotonic clock in microseconds. All processes of one machine read the same one. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

/** An event's text: marker, sequence number from 1 on, time of publishing, fill. */
export function payload(sequence: number, time: number): string {
  return (
    '~' +
    String(sequence).padStart(SEQUENCE_DIGITS, '0') +
    String(time).padStart(TIME_DIGITS, '0') +
    FILL
  );
}
