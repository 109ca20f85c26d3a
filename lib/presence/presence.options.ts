import { isName } from '../delivery/client.js';
import { option, whole } from '../sources/options/option-kinds.js';
import type { TableOf } from '../sources/options/option-table.js';

/** The options of `SseService.presence()`. */
export interface PresenceListOptions {
  /** The id of the last member of the page before. Default: from the first on. */
  readonly after?: string | undefined;
  /** How many members at most: 1 to 1,000. Default: 1,000. */
  readonly limit?: number | undefined;
}

export const MOST_MEMBERS = 1_000;

export const PRESENCE_LIST_OPTIONS = {
  after: option(isName, "a member's id of 1 to 1,024 characters", undefined),
  limit: whole(MOST_MEMBERS, { unit: 'members', to: MOST_MEMBERS }),
} satisfies TableOf<PresenceListOptions>;
