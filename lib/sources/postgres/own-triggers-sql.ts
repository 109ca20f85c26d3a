import { quoteBody, quoteName, quoteText } from './identifier.js';
import { inTurn } from './in-turn.js';

/** The triggers that earlier runs of the SQL that creates them may have left. */
export interface OwnTriggers {
  /** The table, as SQL. */
  readonly on: string;
  /** The names that they may have. */
  readonly names: readonly string[];
  /** The functions that they may call. */
  readonly functions: readonly string[];
  /** The schema of these functions. Default: any. */
  readonly functionSchema?: string | undefined;
  /** Their first argument. */
  readonly channel: string;
}

/** Writes SQL that drops these triggers, before others take their place. */
export function dropOwnTriggersSql(own: OwnTriggers): string {
  const body = `declare own record; begin
${dropEach(own, `${quoteText(own.on)}::regclass`)}
end
`;
  return `do ${quoteBody(body)};`;
}

/**
 * Writes SQL that removes these triggers for good. What is missing becomes a notice.
 *
 * @param shared the function that they call, as SQL, where other tables' triggers may call it too:
 *   it goes with the last of them
 */
export function removeOwnTriggersSql(own: OwnTriggers, shared?: string): string {
  const { on, channel } = own;
  const body = `declare own record; ${shared === undefined ? '' : declareFunctions(shared)}begin
${dropEach(own, `to_regclass(${quoteText(on)})`, shared === undefined ? '' : NOTE_FUNCTION)}
  if not found then
    raise notice 'There is no trigger of the channel "%" on %.', ${quoteText(channel)}, ${quoteText(on)};
  end if;
${shared === undefined ? '' : DROP_UNUSED}end
`;
  return inTurn(`-- Written by nestjs-sse-channels. Removes the trigger of a channel; may be run again at any time.
do ${quoteBody(body)};
`);
}

/**
 * Writes a loop that drops the triggers. It compares their channel as well, as another channel's
 * trigger may have one of the names: the channel `a_insert` shares one with `a`. Dropping that trigger
 * would end its channel's events in silence.
 *
 * @param table its oid, as SQL
 * @param more statements to run for each trigger that was dropped
 */
function dropEach(own: OwnTriggers, table: string, more = ''): string {
  const list = (texts: readonly string[]): string => texts.map(quoteText).join(', ');
  const schema =
    own.functionSchema === undefined
      ? ''
      : ` and p.pronamespace = to_regnamespace(${quoteText(quoteName(own.functionSchema))})`;
  return `  for own in select t.tgname, t.tgfoid, t.tgrelid::regclass as relation
    from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where t.tgrelid = ${table} and t.tgname in (${list(own.names)}) and p.proname in (${list(own.functions)})${schema}
      and position(convert_to(${quoteText(own.channel)}, getdatabaseencoding()) || decode('00', 'hex') in t.tgargs) = 1
  loop
    execute format('drop trigger %I on %s', own.tgname, own.relation);${more}
  end loop;`;
}

/** Declares the list of functions to drop if unused. It begins with the one of that name. */
function declareFunctions(shared: string): string {
  return `fn regprocedure; fns oid[] := array[to_regprocedure(${quoteText(`${shared}()`)})]; `;
}

const NOTE_FUNCTION = `
    fns := fns || own.tgfoid;`;

const DROP_UNUSED = `  for fn in select p.oid from pg_catalog.pg_proc p where p.oid = any (fns) and p.prorettype = 'trigger'::regtype
    and not exists (select from pg_catalog.pg_depend d
      where d.refclassid = 'pg_catalog.pg_proc'::regclass and d.refobjid = p.oid)
  loop
    begin
      execute format('drop function %s', fn);
    exception when insufficient_privilege then
      raise notice 'The function % stays: %.', fn, sqlerrm;
    end;
  end loop;
`;
