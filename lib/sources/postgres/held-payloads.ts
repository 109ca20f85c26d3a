/** How many notifications, and how many characters of them, are held for one channel. */
const MOST_HELD = 10_000;
const MOST_CHARACTERS = 8_388_608;

/** Notifications that must wait, within bounds. */
export class HeldPayloads {
  /** Whether some were given up, as there were too many; those that are left came after. */
  hasGap = false;
  private payloads: string[] = [];
  private characters = 0;

  push(payload: string): void {
    this.characters += payload.length;
    if (this.payloads.length === MOST_HELD || this.characters > MOST_CHARACTERS) {
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
