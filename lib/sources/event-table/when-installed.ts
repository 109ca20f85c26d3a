import { settledWithin } from '../../channel/deadline.js';

/** How long a call waits for the table to be installed, in milliseconds. */
const INSTALL_TIMEOUT_MS = 15_000;

/** @param installed resolves once the table is there, or the first attempt to read it has failed */
export async function whenInstalled(installed: Promise<unknown> | undefined): Promise<void> {
  if (installed) {
    await settledWithin(installed, INSTALL_TIMEOUT_MS);
  }
}
