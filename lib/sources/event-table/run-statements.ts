import { runChunkFrom, runChunkText } from '../../channel/run-text.js';
import type {
  AppendResult,
  NewRun,
  RunAppend,
  RunChunk,
  RunName,
  RunRecord,
} from '../../channel/runs.js';
import { quoteName } from '../postgres/identifier.js';
import type { PostgresConnection } from '../postgres/postgres-connection.js';
import { asciiJson } from './ascii-json.js';
import type { TableSettings } from './event-table-error.js';
import { whenInstalled } from './when-installed.js';

/** A run, and the number of the chunk behind which to read; none: only tell how far the run goes. */
export interface RunPlace extends RunName {
  readonly after: number | undefined;
}

/** What was read of a run. */
export interface RunNews {
  /** The number of its newest chunk. */
  readonly head: number;
  /** Without those behind one that is missing. */
  readonly chunks: RunChunk[];
}

/** The most chunks of each run, and about the most characters, that a statement reads. */
export interface ReadLimits {
  readonly chunks: number;
  readonly size: number;
}

interface RunRow {
  readonly name: string;
  readonly form: string;
  readonly head: string;
  readonly ended: boolean;
  readonly left: number;
}

interface ChunkRow {
  readonly nth: string | null;
  readonly seq: string;
  readonly chunk: string | null;
}

/** The statements about runs. Texts are in ASCII, as the database may be in any encoding. */
export class RunStatements {
  private readonly s: string;

  constructor(
    private readonly connection: PostgresConnection,
    { schema }: TableSettings,
    /** Resolves once the table is there, or the first attempt to read it has failed. */
    private readonly installed: Promise<unknown>,
  ) {
    this.s = quoteName(schema);
  }

  async begin({ channel, id, format, lease, keep }: NewRun): Promise<RunRecord> {
    const values = [channel, id, asciiJson(JSON.stringify(format)), lease, keep];
    const call = 'begin_run($1::text, $2::text, $3::text, $4::bigint, $5::bigint)';
    return (await this.record(channel, call, values))!;
  }

  find(channel: string, id: string | undefined): Promise<RunRecord | undefined> {
    return this.record(channel, 'find_run($1::text, $2::text)', [channel, id ?? null]);
  }

  async append(appends: readonly RunAppend[]): Promise<readonly AppendResult[]> {
    const rows = await this.connection.query<{ result: AppendResult }>(
      `select result from ${this.s}.append_runs($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::boolean[], $6::text[]) as result`,
      [
        appends.map(({ channel }) => channel),
        appends.map(({ id }) => id),
        appends.map(({ after }) => after),
        appends.map(({ chunks }) => chunks.length),
        appends.map(({ chunks }) => chunks.at(-1)?.end === true),
        appends.flatMap(({ chunks }) => chunks.map(textOf)),
      ],
    );
    return rows.map(({ result }) => result);
  }

  async end({ channel, id }: RunName, chunks: readonly RunChunk[], isLost: boolean) {
    const [row] = await this.connection.query<{ ended: boolean }>(
      `select ${this.s}.end_run($1::text, $2::text, $3::text[], $4::boolean) as ended`,
      [channel, id, chunks.map(textOf), isLost],
    );
    return row!.ended;
  }

  /**
   * Reads chunks of runs.
   *
   * @param onlyNews whether to leave out runs that have no others
   * @returns what there is of each, by its place in the list, and whether the size has cut it
   */
  async read(
    places: readonly RunPlace[],
    limits: ReadLimits,
    onlyNews: boolean,
  ): Promise<{ readonly runs: ReadonlyMap<number, RunNews>; readonly isCut: boolean }> {
    const rows = await this.connection.query<ChunkRow>(
      `select nth, seq, chunk from ${this.s}.read_runs($1::text[], $2::text[], $3::bigint[], $4::bigint, $5::bigint, $6::boolean)`,
      [
        places.map(({ channel }) => channel),
        places.map(({ id }) => id),
        places.map(({ after }) => after ?? null),
        limits.chunks,
        limits.size,
        onlyNews,
      ],
    );
    const runs = new Map<number, RunNews>();
    for (const { nth, seq, chunk } of rows) {
      const place = Number(nth) - 1;
      if (nth !== null && chunk === null) {
        runs.set(place, { head: Number(seq), chunks: [] });
      } else if (nth !== null) {
        const { chunks } = runs.get(place)!;
        // Somebody may have emptied the table of chunks.
        if (Number(seq) === places[place]!.after! + chunks.length + 1) {
          chunks.push(runChunkFrom(chunk!));
        }
      }
    }
    return { runs, isCut: rows.at(-1)?.nth === null };
  }

  private async record(
    channel: string,
    call: string,
    values: unknown[],
  ): Promise<RunRecord | undefined> {
    await whenInstalled(this.installed);
    const [row] = await this.connection.query<RunRow>(
      `select name, form, head, ended, "left"
        from ${this.s}.${call} as r (name, form, head, ended, "left")`,
      values,
    );
    return (
      row && {
        channel,
        id: row.name,
        format: JSON.parse(row.form) as string,
        head: Number(row.head),
        hasEnded: row.ended,
        leaseLeft: Number(row.left),
      }
    );
  }
}

function textOf(chunk: RunChunk): string {
  return asciiJson(runChunkText(chunk));
}
