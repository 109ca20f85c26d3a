import { Inject, Injectable } from '@nestjs/common';
import type { ControlLog } from '../channel/control.js';
import { LimitedLog } from '../channel/limited-log.js';
import { SseError } from '../channel/sse-error.js';
import { Delivery } from '../delivery/delivery.js';
import { SSE_SETTINGS, type SseSettings } from '../setup/settings.js';
import { SseSources } from '../setup/sse-sources.js';
import { commandText, readCommand } from './command-text.js';
import { MAX_BLOCK_MS, type DisconnectCommand } from './disconnect.options.js';

/** How many commands are remembered, to recognise one that comes again. */
const MOST_REMEMBERED = 10_000;

/** Ends connections on every instance: publishes commands, and obeys those of the others. */
@Injectable()
export class Control {
  private control: ControlLog | undefined;
  private readonly log: LimitedLog;
  /** The ids of the last commands that were obeyed. */
  private readonly obeyed = new Set<string>();
  private isBehind = false;

  constructor(
    @Inject(SSE_SETTINGS) private readonly settings: SseSettings,
    private readonly delivery: Delivery,
    private readonly sources: SseSources,
  ) {
    this.log = new LimitedLog(sources.log);
  }

  /**
   * Begins to read the control log, before the broker starts.
   * @throws SseError `INVALID_OPTION` for a broker that has none
   */
  open(): void {
    const { revocation, broker } = this.settings;
    if (!revocation || broker === 'memory') {
      return;
    }
    this.delivery.revocations.areUnknown();
    this.behind();
    this.control = this.sources.broker.openControl?.({
      command: (text, age) => this.obey(text, age),
      caughtUp: () => this.caughtUp(),
      behind: () => this.behind(),
      lost: () => this.lost('Commands to end connections were lost'),
    });
    if (!this.control) {
      throw new SseError(
        'INVALID_OPTION',
        '`revocation` is true, and the broker cannot carry commands to all instances. Give it ' +
          '`openControl()`, or leave `revocation` out.',
      );
    }
  }

  /**
   * Ends connections, here at once and on other instances when they read the command.
   * @throws SseError `INVALID_OPTION`, `UNAVAILABLE`
   */
  async disconnect(command: DisconnectCommand): Promise<void> {
    const isAlone = this.settings.broker === 'memory';
    if (!isAlone && !this.control) {
      throw new SseError(
        'INVALID_OPTION',
        'disconnect() must reach every instance, and they do not listen. Set it: ' +
          'SseModule.forRoot({ revocation: true, … }).',
      );
    }
    const { longestKeep = MAX_BLOCK_MS } = this.control ?? {};
    if (command.block > longestKeep) {
      throw new SseError(
        'INVALID_OPTION',
        `disconnect(): \`block\` is ${command.block}, and the broker keeps commands for ${longestKeep} ms only. ` +
          'Block for a shorter time, or keep what the broker has for longer.',
      );
    }
    this.delivery.revocations.revoke({ ...command, age: 0 });
    if (this.control) {
      const { id, text } = commandText(command);
      this.remember(id);
      await this.control.publish(text, command.block);
    }
  }

  close(): void {
    this.delivery.guard.run('close() of the control log', () => this.control?.close());
  }

  private obey(text: string, age: number): void {
    const command = readCommand(text);
    if (command === 'later') {
      this.lost('A later version of nestjs-sse-channels has published a command. Update this one');
    } else if (!command) {
      this.log.warn('Something in the control log is no command of nestjs-sse-channels.');
    } else if (!this.obeyed.has(command.id)) {
      this.remember(command.id);
      // A broker of the application may leave the age out, or read another clock than the sender.
      this.delivery.revocations.revoke({ ...command, age: Math.max(0, age) || 0 });
    }
  }

  private remember(id: string): void {
    this.obeyed.add(id);
    if (this.obeyed.size > MOST_REMEMBERED) {
      const [oldest] = this.obeyed;
      this.obeyed.delete(oldest!);
    }
  }

  private behind(): void {
    if (!this.isBehind) {
      this.isBehind = true;
      this.delivery.connections.hold.begin();
    }
  }

  private caughtUp(): void {
    this.delivery.revocations.areKnownNow();
    if (this.isBehind) {
      this.isBehind = false;
      this.delivery.connections.hold.end();
    }
  }

  private lost(why: string): void {
    this.log.warn(`${why}; every stream of this instance ends, and its client returns.`);
    this.delivery.revocations.revokeAll('commands were lost');
  }
}
