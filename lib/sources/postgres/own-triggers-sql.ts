import { quoteBody, quoteText } from './identifier.js';

/** Which triggers an earlier run of the same SQL may have left. */
export interface OwnTriggers {
  /** The table, as SQL. */
  readonly on: string;
  /** The names that they may have. */
  readonly names: readonly string[];
  /** The functions that they may call. */
  readonly functions: readonly string[];
  /** Their first argument. */
  readonly channel: string;
}

/**
 * Writes SQL that drops these triggers. Another channel's trigger may have one of the names: the
 * channel `a_insert` shares one with `a`. Dropping that trigger would end its channel's events in
 * silence.
 */
export function dropOwnTriggersSql({ on, names, functions, channel }: OwnTriggers): string {
  const list = (texts: readonly string[]): string => texts.map(quoteText).join(', ');
  const body = `declare own text; begin
  for own in select t.tgname from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where t.tgrelid = ${quoteText(on)}::regclass and t.tgname in (${list(names)}) and p.proname in (${list(functions)})
      and position(convert_to(${quoteText(channel)}, getdatabaseencoding()) || decode('00', 'hex') in t.tgargs) = 1
  loop
    execute format('drop trigger %I on %s', own, ${quoteText(on)});
  end loop;
end
`;
  return `do ${quoteBody(body)};`;
}
