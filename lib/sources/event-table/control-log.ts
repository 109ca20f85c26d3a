import { RESERVED_NAMES } from '../../channel/channel-name.js';
import type { ControlLog, ControlSink } from '../../channel/control.js';
import type { ChannelSink } from '../../channel/source.js';
import { SseError } from '../../channel/sse-error.js';
import { quoteName } from '../postgres/identifier.js';
import type { Session } from '../postgres/session.js';
import type { EventPublisher } from './event-publisher.js';
import type { EventTableSettings } from './event-table.options.js';
import { parsePosition, type Position } from './position.js';
import type { Topics } from './topics.js';

/** The topic of the commands: `command()` writes it. Only the control log reads topics that begin like it. */
const CONTROL_TOPIC = 'sse:control';
/** The name of the commands that instances need which start later. */
const KEPT = 'kept';
/** Commands per read. */
const PAGE = 1_000;

/** @throws SseError `INVALID_CHANNEL` for a topic of the module's own */
export function refuseReserved(topic: string): void {
  if (topic.startsWith(RESERVED_NAMES)) {
    throw new SseError(
      'INVALID_CHANNEL',
      `The channel ${JSON.stringify(topic)} begins with ${RESERVED_NAMES}, as the event table's own topics do. ` +
        'Give it another name.',
    );
  }
}

interface CommandRow {
  readonly id: string;
  readonly data: string;
  /** How long ago it was written, in milliseconds. */
  readonly age: number;
}

/**
 * The commands to all instances, as a topic of the event table: the table's one order has each
 * command before the events that follow it. After each loss of the session the commands are read
 * first, ahead of the events before them.
 */
export class TableControlLog implements ControlLog {
  readonly longestKeep: number;
  private readonly remove: () => void;
  /** The ids of commands that were read ahead of the events before them. */
  private readonly ahead = new Set<number>();
  private isKnown = false;
  /** Takes the commands that come in their place. */
  private readonly channel: ChannelSink = {
    live: () => undefined,
    append: ({ data, position = '' }) => {
      const id = parsePosition(position)?.id;
      if (id === undefined || !this.ahead.delete(id)) {
        this.sink.command(data, 0);
      }
      return position;
    },
    reset: () => {
      // Another history may give their ids to other commands.
      this.ahead.clear();
      if (this.isKnown) {
        this.sink.lost();
      }
    },
  };

  constructor(
    private readonly settings: EventTableSettings,
    private readonly publisher: EventPublisher,
    topics: Topics,
    private readonly sink: ControlSink,
  ) {
    this.longestKeep = settings.retain.age;
    this.remove = topics.add(CONTROL_TOPIC, this.channel);
  }

  /** @throws SseError `UNAVAILABLE` when Postgres does not take it */
  async publish(text: string, keep: number): Promise<void> {
    await this.publisher.command(text, keep > 0);
  }

  close(): void {
    this.remove();
  }

  /** The session is over: commands may be written that are not read. */
  behind(): void {
    this.sink.behind();
  }

  /** Reads what was written while there was no session, before the events of that time. */
  async catchUp(session: Session, { id: settled }: Position): Promise<void> {
    // An instance that starts has no stream to end: it needs to know who is blocked.
    let from = this.isKnown ? settled : 0;
    for (let isEnd = false; !isEnd;) {
      const rows = await session.queryAgainAfterLocks<CommandRow>({
        text: `select e.id, e.data, extract(epoch from clock_timestamp() - e.created_at)::float8 * 1000 as age
          from ${quoteName(this.settings.schema)}.event e
          where e.topic = $1 and e.id > $2 and (e.id > $3 or e.event = '${KEPT}')
          order by e.id limit ${PAGE}`,
        values: [CONTROL_TOPIC, from, settled],
      });
      for (const row of rows) {
        from = Number(row.id);
        if (from > settled) {
          this.ahead.add(from);
        }
        this.sink.command(row.data, Math.max(0, Number(row.age)));
      }
      isEnd = rows.length < PAGE;
    }
    this.isKnown = true;
    this.sink.caughtUp();
  }
}
