/** A map that takes little memory while it has no more than one entry, as most of very many have. */
export class SmallMap<K, V> {
  private key: K | undefined;
  private value: V | undefined;
  /** All entries, once there was a second one. */
  private all: Map<K, V> | undefined;

  get size(): number {
    return this.all ? this.all.size : this.value === undefined ? 0 : 1;
  }

  get(key: K): V | undefined {
    return this.all ? this.all.get(key) : this.key === key ? this.value : undefined;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  /** @param value anything but `undefined` */
  set(key: K, value: V): void {
    if (!this.all && (this.value === undefined || this.key === key)) {
      this.key = key;
      this.value = value;
      return;
    }
    this.all ??= new Map([[this.key as K, this.value!]]);
    this.all.set(key, value);
    this.value = undefined;
  }

  delete(key: K): void {
    if (this.all) {
      this.all.delete(key);
    } else if (this.key === key) {
      this.key = undefined;
      this.value = undefined;
    }
  }

  /** The keys of the entries, in the order in which they came. */
  keys(): Iterable<K> {
    return this.all ? this.all.keys() : this.value === undefined ? [] : [this.key as K];
  }

  forEach(visit: (value: V) => void): void {
    if (this.all) {
      this.all.forEach(visit);
    } else if (this.value !== undefined) {
      visit(this.value);
    }
  }
}
