/** The most notifications, and characters of them, that wait for one channel. */
const MOST_PAYLOADS = 10_000;
const MOST_CHARACTERS = 8_388_608;

/** Notifications that must wait, within bounds. */
export class WaitingPayloads {
  /** True when the oldest were dropped because too many waited. Those that are left came later. */
  hasGap = false;
  private payloads: string[] = [];
  private characters = 0;

  push(payload: string): void {
    this.characters += payload.length;
    if (this.payloads.length === MOST_PAYLOADS || this.characters > MOST_CHARACTERS) {
      this.hasGap = true;
      this.payloads = [];
      this.characters = payload.length;
    }
    this.payloads.push(payload);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.payloads[Symbol.iterator]();
  }
}
