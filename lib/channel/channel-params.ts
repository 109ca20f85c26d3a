import {
  checkTemplate,
  encodedValue,
  partOf,
  PLACEHOLDER_TEXT,
  placeholdersOf,
} from './template.js';

/** The placeholders of a template. */
export type PlaceholderOf<Template extends string> =
  Template extends `${string}{${infer Name}}${infer Rest}` ? Name | PlaceholderOf<Rest> : never;

/** What stands for the placeholders of a template in a channel's name. */
export type ChannelParams<Template extends string> = string extends Template
  ? Readonly<Record<string, string>>
  : { readonly [Name in PlaceholderOf<Template>]: string };

/** All names that `channelName()` makes of a template such as `job:{id}`. */
export class ChannelTemplate {
  /** The text before, between and after the placeholders. */
  private readonly literals: readonly string[];
  private readonly placeholders: readonly string[];

  /** @throws SseError `INVALID_CHANNEL` when a brace lacks its other half */
  constructor(private readonly template: string) {
    checkTemplate(template);
    this.literals = template.split(PLACEHOLDER_TEXT);
    this.placeholders = placeholdersOf(template);
  }

  /**
   * The name with these values.
   * @throws SseError `INVALID_CHANNEL` when a value is missing or empty
   */
  nameOf(values: Readonly<Record<string, unknown>>): string {
    const { template, literals, placeholders } = this;
    let name = literals[0]!;
    for (let nth = 0; nth < placeholders.length; nth++) {
      const placeholder = placeholders[nth]!;
      name += partOf(template, placeholder, values[placeholder]) + literals[nth + 1]!;
    }
    return name;
  }

  /** What stands for the placeholders; `undefined` for a name that is not of this template. */
  paramsOf(name: string): Record<string, string> | undefined {
    const values = this.valuesIn(name);
    const params = new Map<string, string>();
    for (const [nth, value] of values?.entries() ?? []) {
      const text = decoded(value);
      const placeholder = this.placeholders[nth]!;
      if (text === undefined || (params.get(placeholder) ?? text) !== text) {
        return undefined;
      }
      params.set(placeholder, text);
    }
    return values && Object.fromEntries(params);
  }

  /**
   * The encoded values in a name. Each is the shortest one, so that the time grows with the length of the
   * name only: clients choose names, and a regular expression would try all ways to cut them.
   */
  private valuesIn(name: string): string[] | undefined {
    const { literals } = this;
    const last = literals.length - 1;
    const [first] = literals as [string];
    if (last === 0) {
      return name === first ? [] : undefined;
    }
    const end = name.length - literals[last]!.length;
    if (!name.startsWith(first) || !name.endsWith(literals[last]!)) {
      return undefined;
    }
    const values: string[] = [];
    let from = first.length;
    for (let nth = 1; nth <= last; nth++) {
      const to = nth === last ? end : name.indexOf(literals[nth]!, from + 1);
      if (to <= from || to > end) {
        return undefined;
      }
      values.push(name.slice(from, to));
      from = to + literals[nth]!.length;
    }
    return values;
  }
}

/** Programs have few templates, and fill the same ones again and again. */
const known = new Map<string, ChannelTemplate>();
const MOST_KNOWN = 1_000;

/** @throws SseError `INVALID_CHANNEL` when a brace lacks its other half */
export function templateOf(text: string): ChannelTemplate {
  let template = known.get(text);
  if (!template) {
    template = new ChannelTemplate(text);
    if (known.size >= MOST_KNOWN) {
      known.clear();
    }
    known.set(text, template);
  }
  return template;
}

/**
 * The inverse of `channelName()`: what stands for the placeholders of a template in a channel's name.
 *
 * A value may contain letters, digits and `-_.~` as they are. Where one of these separates two
 * placeholders, as in `a-{b}-{c}`, the first value is the shortest that is possible; so separate
 * placeholders by another character, such as `:` or `/`.
 *
 * @param template the name, with placeholders in braces
 * @returns the values, decoded; `undefined` for a name that `channelName()` does not make of the template
 * @throws SseError `INVALID_CHANNEL` when a brace of the template lacks its other half
 *
 * @example
 * ```ts
 * channelParams('job:{id}', 'job:42'); // { id: '42' }
 * channelParams('job:{id}', 'room:42'); // undefined
 * ```
 */
export function channelParams<const Template extends string>(
  template: Template,
  channel: string,
): ChannelParams<Template> | undefined {
  return templateOf(template).paramsOf(channel) as ChannelParams<Template> | undefined;
}

/** The text of an encoded value; `undefined` for what no value is encoded as. */
function decoded(value: string): string | undefined {
  try {
    const text = decodeURIComponent(value);
    return encodedValue(text) === value ? text : undefined;
  } catch {
    return undefined;
  }
}
