/** The event names the sample's channels use. An EventSource tells of a named event only to those who ask for its name. */
const EVENT_NAMES = ['message', 'insert', 'update', 'delete', 'sse:snapshot', 'sse:reset'];

/**
 * One EventSource and what became of it. States:
 * connecting, open, reconnecting (the browser does that by itself), completed (the
 * server said that nothing more will come), refused (an error status), disconnected.
 */
export class Stream extends EventTarget {
  name;
  state = 'disconnected';
  url = '';
  lastId = '';
  count = 0;
  #path;
  #source;
  #done = false;

  /** `path` is a function, as the key and the room can be changed. */
  constructor(name, path) {
    super();
    this.name = name;
    this.#path = path;
  }

  /** True while the browser holds a connection, or tries to get one. */
  get active() {
    return this.#source !== undefined && this.#source.readyState !== EventSource.CLOSED;
  }

  /** Connects, and resumes after the last event seen here unless told otherwise. */
  connect(lastEventId = this.lastId) {
    this.#source?.close();
    this.#done = false;
    const url = new URL(this.#path(), location.href);
    // A new EventSource has no Last-Event-ID header to send; within its life it does by itself.
    if (lastEventId) url.searchParams.set('lastEventId', lastEventId);
    this.url = url.pathname;
    const source = new EventSource(url);
    this.#source = source;
    this.#become('connecting');

    source.addEventListener('open', () => this.#become('open'));
    source.addEventListener('error', () => {
      const ended = source.readyState === EventSource.CLOSED;
      if (this.#done) this.#become(ended ? 'completed' : 'completing');
      else this.#become(ended ? 'refused' : 'reconnecting');
    });
    for (const name of EVENT_NAMES) source.addEventListener(name, (event) => this.#receive(event));
  }

  /** Closes the connection. What is sent meanwhile arrives after `connect()`. */
  disconnect() {
    this.#source?.close();
    this.#become('disconnected');
  }

  /** Another key or room: nothing seen so far counts there. */
  restart() {
    this.lastId = '';
    if (this.active) this.connect();
  }

  #receive(event) {
    this.count++;
    this.lastId = event.lastEventId;
    this.#done = event.data === '[DONE]';
    // The run is over. Who connects again waits for the next one.
    if (this.#done) this.lastId = '';
    this.dispatchEvent(
      new CustomEvent('event', {
        detail: {
          stream: this.name,
          name: event.type,
          id: event.lastEventId,
          data: event.data,
          time: new Date(),
        },
      }),
    );
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }
}
