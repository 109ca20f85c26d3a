/** Keeps events from clients for as long as anybody wants that. */
export class Hold {
  /** Whether clients receive nothing for now. */
  isOn = false;
  private count = 0;

  /** @param onEnd called when clients may receive events again */
  constructor(private readonly onEnd: () => void) {}

  begin(): void {
    this.count++;
    this.isOn = true;
  }

  end(): void {
    this.count--;
    if (this.count === 0) {
      this.isOn = false;
      this.onEnd();
    }
  }
}
