/**
 * One channel of the page's client, and what became of it. States: those of a `Stream`, but
 * that the client, and not the browser, returns by itself.
 */
export class ChannelStream extends EventTarget {
  name;
  state = 'disconnected';
  /** The channel's name. */
  url = '';
  /** The position of the last event. */
  lastId = '';
  count = 0;
  #client;
  #channel;
  #subscription;

  /** `channel` is a function, as the key and the room can be changed. */
  constructor(client, name, channel) {
    super();
    this.name = name;
    this.#client = client;
    this.#channel = channel;
    client.onStatus((status) => {
      if (status === 'waiting' && this.active) this.#become('reconnecting');
    });
  }

  /** True while the channel is subscribed. */
  get active() {
    return this.#subscription !== undefined;
  }

  /** Subscribes, and resumes after the last event seen here unless told otherwise. */
  connect(from = this.lastId) {
    this.#subscription?.close();
    this.url = this.#channel();
    this.#become('connecting');
    this.#subscription = this.#client.subscribe(this.url, {
      ...(from && { from }),
      onOpen: () => this.#become('open'),
      onEvent: (event) => this.#receive(event),
      onReset: (reset) => this.#receive(reset),
      onEnd: () => {
        // The run is over. Who subscribes again waits for the next one.
        this.#receive({ type: 'end', data: '' });
        this.#end('completed');
      },
      onDenied: () => this.#end('refused'),
      onError: () => this.#end('refused'),
    });
  }

  /** Leaves the channel; the others go on. What is sent meanwhile arrives after `connect()`. */
  disconnect() {
    this.#subscription?.close();
    this.#end('disconnected', this.lastId);
  }

  /** Another key or room: nothing seen so far counts there. */
  restart() {
    this.lastId = '';
    if (this.active) this.connect();
  }

  #receive({ type, data, position = '' }) {
    this.count++;
    this.lastId = position || this.lastId;
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    const detail = { stream: this.name, name: type, id: position, data: text, time: new Date() };
    this.dispatchEvent(new CustomEvent('event', { detail }));
  }

  #end(state, lastId = '') {
    this.#subscription = undefined;
    this.lastId = lastId;
    this.#become(state);
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }
}
