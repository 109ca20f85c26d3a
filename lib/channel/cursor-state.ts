/**
 * What a reader can read next from a cursor.
 *
 * - `idle`: nothing; the cursor stands at the head
 * - `log`: read the log after `seq`, in blocks or with `take`
 * - `page`: a page of history; read it with `take`
 * - `reset`: `take` gives a reset, which the client must receive next
 * - `loading`: nothing yet; the cursor pulls its owner once history has come
 * - `ended`: nothing more; the client has received the end of its run before
 */
export type CursorState = 'idle' | 'log' | 'page' | 'reset' | 'loading' | 'ended';
