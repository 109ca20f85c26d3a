/** How long a stop waits for the store's replies, in milliseconds: shutdown must not hang on it. */
export const STOP_WAIT_MS = 300;
