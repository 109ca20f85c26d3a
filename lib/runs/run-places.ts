import type { RunRecord } from '../channel/runs.js';
import { EARLIEST, plainPosition } from '../channel/start-position.js';
import type { ChannelRequest } from '../delivery/channel-request.js';
import type { RunLogs } from './run-log.js';
import { BEFORE_BEGINNING, placeOf, runPosition } from './run-position.js';
import { endLost, reached, type RunServices } from './run-services.js';
import { SharedLooks } from './shared-looks.js';

/** A place in a run, for a client to begin at. */
export interface PlaceInRun {
  readonly request: ChannelRequest;
  readonly position: string;
}

/** Finds where clients begin to read the runs of a channel. */
export class RunPlaces {
  private readonly looks = new SharedLooks<RunRecord | undefined>();

  constructor(
    private readonly services: RunServices,
    private readonly logs: RunLogs,
  ) {}

  /** @returns nothing when the client has read the run to its end, or has no run to read */
  async find(channel: string, lastEventId: string | undefined): Promise<PlaceInRun | undefined> {
    const isNew = lastEventId === undefined || lastEventId === EARLIEST;
    const place = isNew ? undefined : placeOf(plainPosition(lastEventId));
    const known = place && (await this.look(channel, place.id));
    if (known) {
      return place.seq <= known.head
        ? known.hasEnded && place.seq === known.head
          ? undefined
          : this.at(known, place.seq)
        : this.at(known, BEFORE_BEGINNING['unknown-position']);
    }
    const newest = await this.look(channel);
    if (!newest || newest.hasEnded) {
      return undefined;
    }
    const seq = isNew ? 0 : BEFORE_BEGINNING[place ? 'trimmed' : 'unknown-position'];
    return this.at(newest, seq);
  }

  private at(run: RunRecord, seq: number): PlaceInRun {
    // In a dialect a reset would end the stream.
    const from = this.services.formats.of(run.format).dialect ? Math.max(0, seq) : seq;
    return {
      request: { source: this.logs.of(run), name: run.channel },
      position: runPosition(run.id, from),
    };
  }

  private look(channel: string, id?: string): Promise<RunRecord | undefined> {
    const find = () => findRun(channel, id, this.services);
    return this.looks.look(JSON.stringify([channel, id]), find);
  }
}

/** Finds a run, and ends it if it is lost. */
async function findRun(
  channel: string,
  id: string | undefined,
  services: RunServices,
): Promise<RunRecord | undefined> {
  const run = await reached(() => services.store.find(channel, id), services.closing);
  if (!run || run.hasEnded || run.leaseLeft > 0) {
    return run;
  }
  await endLost(run, services);
  return services.store.find(channel, run.id);
}
