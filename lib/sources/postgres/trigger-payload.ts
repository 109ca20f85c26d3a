import { isEventType } from '../../channel/event-type.js';

/** A payload without its envelope. */
export interface TriggerPayload {
  /** The event's text. */
  readonly data: string;
  /** The event's name, when the payload names one. */
  readonly type?: string;
}

/** A name without an escape or a control character: we take it as it stands. */
const ENVELOPE = /^\{"sse":"([^"\\\p{Cc}]{1,255})","data":/u;

/**
 * Takes the envelope off a payload of the generated trigger, which is
 * `{"sse":"insert","data":{"id":1}}`: the name of the event and its data. Other programs that
 * listen see plain JSON. A trigger of the user's own may send the same form.
 *
 * We cut the data out as it stands, and neither parse it nor write it anew: numbers keep their
 * digits, and the cost does not grow with the row.
 */
export function readTriggerPayload(payload: string): TriggerPayload {
  const match = payload.endsWith('}') ? ENVELOPE.exec(payload) : null;
  const data = match && payload.slice(match[0].length, -1);
  // Types that begin with `sse:` are ours, and nobody else may use them.
  return data && isEventType(match[1]) ? { data, type: match[1] } : { data: payload };
}
