// What an event's columns may hold, as SQL, and as `checkEvent()` of the channel asks for. Each is
// true, or null for a column that is null, when the event may be sent. Those of the constraints are
// short and without the length, as Postgres parses a constraint anew for each statement.

/** A topic is the name of a channel, as `checkChannelName()` takes it. Never null. */
export function topicCanBeOpened(topic: string): string {
  return `octet_length(coalesce(${topic}, '')) between 1 and 1024 and ${topic} !~ $r$[\\x01-\\x1f\\x7f]$r$`;
}

/** The name is one line, and none of this module's own. */
export function nameCanBeSent(name: string): string {
  return `${name} !~ $r$^sse:|[\\r\\n]$r$`;
}

/**
 * An id comes back in a header, which has no control characters, and no blanks at its ends. It may
 * neither ask for the oldest event nor be a position.
 */
export function idCanComeBack(id: string): string {
  return `${id} ~ $r$^(?! |earliest$|[0-9]+[.][0-9]+$)[^\\x01-\\x1f\\x7f]+(?<! )$$r$`;
}

/** A browser waits for no time below zero. */
export function retryCanBeWaited(retry: string): string {
  return `${retry} >= 0`;
}

/** All of an event's fields, with their length. */
export function fieldsCanBeSent(name: string, id: string, retry: string): string {
  const conditions = [
    `length(${name}) <= 1024`,
    nameCanBeSent(name),
    `length(${id}) <= 1024`,
    idCanComeBack(id),
    retryCanBeWaited(retry),
  ];
  return conditions.join(' and ');
}
