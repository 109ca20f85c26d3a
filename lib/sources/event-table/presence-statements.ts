import { createHash } from 'node:crypto';
import type { PresenceCounts, PresencePage, PresenceSeat } from '../../channel/presence.js';
import { quoteName } from '../postgres/identifier.js';
import type { PostgresConnection } from '../postgres/postgres-connection.js';
import { asciiJson } from './ascii-json.js';
import { withRepair } from './event-inserts.js';
import type { TableSettings } from './event-table-error.js';
import { whenInstalled } from './when-installed.js';

export interface Beat {
  /** How often the instance has beaten; `null` when it counts as dead, or the server does not know it. */
  readonly beats: number | null;
  readonly timeline: number;
  /** The dead instances that may have seats. */
  readonly dead: readonly string[];
}

export interface BeatCall {
  readonly instance: string;
  readonly isNew: boolean;
  /** Names under which the instance has had seats. */
  readonly former: readonly string[];
  /** For how long the beat holds, in milliseconds. */
  readonly alive: number;
  /** Up to this revision no call is under way. */
  readonly settled: number;
}

interface PresenceRow {
  readonly client: string | null;
  readonly info: string | null;
  readonly since: string | null;
  readonly connections: string;
  readonly members: string | null;
}

/** The statements about presence. Texts are in ASCII, as the database may be in any encoding. */
export class PresenceStatements {
  private readonly s: string;

  constructor(
    private readonly connection: PostgresConnection,
    { schema }: TableSettings,
    /** Resolves once the table is there, or the first attempt to read it has failed. */
    private readonly installed: Promise<unknown>,
  ) {
    this.s = quoteName(schema);
  }

  async beat({ instance, isNew, former, alive, settled }: BeatCall): Promise<Beat> {
    await whenInstalled(this.installed);
    const [row] = await this.connection.query<{
      beats: string | null;
      timeline: number;
      dead: string;
    }>(
      `select beats, timeline, array_to_string(dead, ' ') as dead
        from ${this.s}.beat($1::uuid, $2::boolean, $3::uuid[], $4::integer, $5::bigint)`,
      [instance, isNew, former, alive, settled],
    );
    const { beats, timeline, dead } = row!;
    return {
      beats: beats === null ? null : Number(beats),
      timeline: Number(timeline),
      dead: dead.split(' ').filter((name) => name !== ''),
    };
  }

  /** Puts seats. Answers what each has changed, or `undefined` when the instance counts as dead. */
  async put(
    instance: string,
    former: readonly string[],
    seats: readonly PresenceSeat[],
  ): Promise<readonly string[] | undefined> {
    const text = `select array_to_string(outcomes, ',', '') as outcomes
      from ${this.s}.put_seats($1::uuid, $2::uuid[], $3::json) as outcomes`;
    const values = [instance, former, JSON.stringify(seats.map(rowOf))];
    const [row] = await withRepair(this.connection, this.s, () =>
      this.connection.query<{ outcomes: string | null }>(text, values),
    );
    return row!.outcomes?.split(',');
  }

  /** Removes some seats of a dead instance. */
  async remove(
    instance: string,
    most: number,
  ): Promise<{ readonly hasMore: boolean; readonly vacated: readonly string[] }> {
    const [row] = await withRepair(this.connection, this.s, () =>
      this.connection.query<{ more: boolean; vacated: string | null }>(
        `select more, array_to_json(vacated)::text as vacated
          from ${this.s}.remove_seats($1::uuid, $2::integer)`,
        [instance, most],
      ),
    );
    const { more, vacated } = row!;
    return { hasMore: more, vacated: JSON.parse(vacated ?? '[]') as string[] };
  }

  async list(channel: string, after: string | undefined, limit: number): Promise<PresencePage> {
    const [all, ...members] = await this.read(channel, digest(after), limit);
    return {
      members: members.map(({ client, info, since, connections }) => ({
        id: JSON.parse(client!) as string,
        info: info === null ? undefined : JSON.stringify(JSON.parse(info)),
        since: Number(since),
        connections: Number(connections),
      })),
      connections: Number(all!.connections),
    };
  }

  async count(channel: string): Promise<PresenceCounts> {
    const [all] = await this.read(channel, '', 0);
    return { members: Number(all!.members), connections: Number(all!.connections) };
  }

  /** A number for each channel with seats, which changes when the seats do. */
  async marks(channels: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.connection.query<{ channel: string; mark: string }>(
      `select channel, mark::text as mark from ${this.s}.presence_marks($1::text[])`,
      [channels],
    );
    return new Map(rows.map(({ channel, mark }) => [channel, mark]));
  }

  private read(channel: string, after: string, limit: number): Promise<readonly PresenceRow[]> {
    return this.connection.query<PresenceRow>(
      `select client, info, since, connections, members from ${this.s}.presence($1::text, $2::text, $3::integer)`,
      [channel, after, limit],
    );
  }
}

/** A seat as `put_seats()` takes it. */
function rowOf({
  channel,
  client,
  info,
  since,
  connections,
  isAnnounced,
  revision,
}: PresenceSeat): object {
  return {
    channel,
    member: digest(client),
    client: client === undefined ? '' : asciiJson(JSON.stringify(client)),
    info: info && asciiJson(info),
    since,
    connections,
    announced: isAnnounced,
    revision,
  };
}

/** Stands for a client's id in an index, which does not take the longest ids; empty for nobody. */
function digest(client: string | undefined): string {
  return client === undefined
    ? ''
    : createHash('sha256').update(JSON.stringify(client)).digest('base64url');
}
