/** Stands in place of a Last-Event-ID for the oldest event that is retained. */
export const EARLIEST = 'earliest';
