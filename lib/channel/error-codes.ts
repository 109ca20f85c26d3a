import type { SseErrorCode } from './sse-error.js';

const CODES: Readonly<Record<SseErrorCode, true>> = {
  INVALID_OPTION: true,
  INVALID_CHANNEL: true,
  INVALID_EVENT: true,
  EVENT_TOO_LARGE: true,
  MISSING_PEER: true,
  NOT_CONFIGURED: true,
  UNAVAILABLE: true,
  TRANSACTION_FAILED: true,
  LIMIT_REACHED: true,
  RUN_ACTIVE: true,
  CLOSED: true,
  FORBIDDEN: true,
};

/** All codes of `SseError`. */
export const ERROR_CODES = Object.keys(CODES) as SseErrorCode[];

/** Whether a value is one of the codes: code of the application may have made an error with another one. */
export function isErrorCode(value: unknown): value is SseErrorCode {
  return Object.hasOwn(CODES, value as PropertyKey);
}
