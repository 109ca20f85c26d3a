/** CRC-32's polynomial with its bits reversed, as gzip uses it: https://www.rfc-editor.org/rfc/rfc1952#section-8 */
const POLYNOMIAL = 0xedb88320;

/** The polynomial 1; the highest bit is the coefficient of x^0. */
const ONE = 0x80000000;

/** x^(2^n) modulo the polynomial, for each n. */
const POWERS: readonly number[] = powers();

/** What moves a CRC-32 behind further bytes: for each byte of the CRC, and each of its values, what becomes of it. */
export type CrcShift = Int32Array;

/** What moves a CRC-32 behind `length` further bytes. */
export function crcShift(length: number): CrcShift {
  // x^(8 · length) modulo the polynomial.
  let factor = ONE;
  for (let rest = length, power = 3; rest > 0; rest = Math.floor(rest / 2), power++) {
    if (rest % 2 === 1) {
      factor = product(POWERS[power & 31]!, factor);
    }
  }
  const shift = new Int32Array(1_024);
  for (let bit = 31; bit >= 0; bit--) {
    // What becomes of this bit alone, and so of every value with bits below it.
    const [table, place] = [(bit >> 3) * 256, 1 << (bit & 7)];
    shift[table + place] = factor;
    factor = timesX(factor);
  }
  for (let table = 0; table < 1_024; table += 256) {
    for (let value = 3; value < 256; value++) {
      const lowest = value & -value;
      shift[table + value] = shift[table + lowest]! ^ shift[table + (value ^ lowest)]!;
    }
  }
  return shift;
}

/**
 * The CRC-32 of two pieces, from the CRC of each and the shift by the second one's length; none of their bytes is
 * read again. CRCs have a sign here, as integers of 32 bits.
 */
export function joinedCrc(first: number, second: number, shift: CrcShift): number {
  return (
    shift[first & 0xff]! ^
    shift[256 + ((first >>> 8) & 0xff)]! ^
    shift[512 + ((first >>> 16) & 0xff)]! ^
    shift[768 + (first >>> 24)]! ^
    second
  );
}

function powers(): number[] {
  const all = [0x40000000];
  while (all.length < 32) {
    all.push(product(all.at(-1)!, all.at(-1)!));
  }
  return all;
}

/** The product of two polynomials modulo that of CRC-32. */
function product(a: number, b: number): number {
  let result = 0;
  let factor = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if (a & bit) {
      result ^= factor;
    }
    factor = timesX(factor);
  }
  return result >>> 0;
}

function timesX(factor: number): number {
  return factor & 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1;
}
