/** The command line is wrong in a way that the usage text explains. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
