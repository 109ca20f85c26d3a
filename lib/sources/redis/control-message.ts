/** A message of `control-append.lua`: what tells of an entry of the control log. */
export interface ControlMessage {
  /** The id of the entry before. */
  readonly previous: string;
  readonly id: string;
  readonly command: string;
}

/** The parts of a message. Other programs may send others, whose parts name no entry. */
export function messageOf(text: string): ControlMessage {
  const head = Math.max(text.indexOf('\n'), 0);
  const [previous = '', id = ''] = text.slice(0, head).split(' ');
  return { previous, id, command: text.slice(head + 1) };
}
