/**
 * Why a connection ended.
 *
 * - `client-left`: its client closed it, or the network did
 * - `completed`: the run, or the handler's Observable, has ended
 * - `revoked`: the application has ended it by `disconnect()`
 * - `expired`: the client's permission has ended
 * - `max-age`: it was as old as connections may get
 * - `stalled`: the client did not read for too long
 * - `overflow`: the client read too slowly, and the endpoint has `overflow: 'disconnect'`
 * - `shutdown`: the application ends
 * - `error`: the Observable of the handler or of the channels failed, or the endpoint's `snapshot`
 */
export type EndReason =
  | 'client-left'
  | 'completed'
  | 'revoked'
  | 'expired'
  | 'max-age'
  | 'stalled'
  | 'overflow'
  | 'shutdown'
  | 'error';

const REASONS: Readonly<Record<EndReason, true>> = {
  'client-left': true,
  completed: true,
  revoked: true,
  expired: true,
  'max-age': true,
  stalled: true,
  overflow: true,
  shutdown: true,
  error: true,
};

/** All reasons. */
export const END_REASONS = Object.keys(REASONS) as EndReason[];
