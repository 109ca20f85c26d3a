/**
 * The codes by which libraries tell what is wrong, of zod, valibot and arktype. An issue's words are
 * of this list, as all others may hold values of the data.
 */
const CODES: ReadonlySet<string> = new Set(
  // zod
  (
    'invalid_type invalid_literal invalid_value invalid_enum_value invalid_union invalid_union_discriminator ' +
    'invalid_string invalid_format invalid_date invalid_key invalid_element unrecognized_keys too_big ' +
    'too_small not_multiple_of not_finite invalid_intersection_types invalid_arguments custom ' +
    // valibot: schemas
    'any array bigint blob boolean date enum exact_optional file function instance intersect lazy literal ' +
    'loose_object loose_tuple map nan never non_nullable non_nullish non_optional null nullable nullish ' +
    'number object object_with_rest optional picklist promise record set strict_object strict_tuple string ' +
    'symbol tuple tuple_with_rest undefined union unknown variant void ' +
    // valibot: actions
    'check check_items email empty ends_with every_item excludes finite includes integer ip ipv4 ipv6 ' +
    'iso_date iso_date_time iso_time iso_timestamp length max_length max_size max_value mime_type min_length ' +
    'min_size min_value multiple_of non_empty not_length not_size not_value parse_json partial_check ' +
    'raw_check raw_transform regex rfc_email safe_integer size some_item starts_with to_bigint to_boolean ' +
    'to_date to_number to_string ulid url uuid value ' +
    // arktype
    'after before divisor domain exactLength intersection max maxLength min minLength pattern predicate ' +
    'proto required sequence structure unit'
  ).split(' '),
);

/** What libraries say that they expect: the names of types. */
const TYPES: ReadonlySet<string> = new Set(
  (
    'string number int bigint boolean object array date null undefined symbol function map set record tuple ' +
    'nan Array Date Map Object Set String Number Boolean'
  ).split(' '),
);

/** What an issue says, in words that cannot be the data's. */
export function fitWords(issue: unknown): string {
  const { code, type, expected } = (issue ?? {}) as Readonly<Record<string, unknown>>;
  const why = [code, type].find((word) => typeof word === 'string' && CODES.has(word));
  if (why === undefined) {
    return 'does not fit';
  }
  const wanted = typeof expected === 'string' ? expected.replace(/^an? /, '') : '';
  return TYPES.has(wanted) && wanted !== why
    ? `does not fit (${String(why)}: ${wanted} expected)`
    : `does not fit (${String(why)})`;
}
