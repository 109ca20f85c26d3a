/** True under `npm run test:soak`: the same tests, at the sizes and durations of a long run. */
export const soaking: boolean = process.env['SOAK'] === '1';

/** The size or duration of a test: `quick` in an ordinary run, `soak` in a long one. */
export function sized<T>(sizes: { quick: T; soak: T }): T {
  return soaking ? sizes.soak : sizes.quick;
}
