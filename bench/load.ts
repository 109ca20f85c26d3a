import { connect as connectSocket } from 'node:net';
import { clientSocket, hasHead, leave, requestFor } from './client-socket.js';
import { MARKER, PAYLOAD_SIZE, SEQUENCE_DIGITS, TIME_DIGITS, now } from './payload.js';
import { serve } from './protocol.js';
import type { Socket } from 'node:net';
import type { ConnectOptions, Counts, LoadCommands, Percentiles } from './protocol.js';

/**
 * The load: raw sockets that read into one shared buffer and look for the marker
 * byte of each event. Nothing is allocated per read or per event, so that the
 * load has room to spare on its core.
 */

/** More connections under way at once would overflow the servers' accept queue of 511. */
const CONCURRENT_CONNECTS = 256;

const buffer = Buffer.allocUnsafe(256 * 1024);
const sockets: Socket[] = [];

let counts = new Uint32Array(0);
let total = 0;
let bytesRead = 0;
let closed = 0;
let closing = false;
let lastArrival = 0;

let verifying = false;
let digitsLeft = new Uint8Array(0);
let partial = new Float64Array(0);
let lastSequence = new Float64Array(0);
let lost = 0;
let duplicates = 0;

let samples = new Float64Array(0);
let sampled = 0;

let ackSocket: Socket | undefined;
let ackUnit = Infinity;
let ackedEvents = 0;

let arrival: { events: number; resolve: () => void } | undefined;

function count(client: number, bytes: Buffer, length: number): number {
  let found = 0;
  let at = 0;
  while (at < length) {
    if (bytes[at] === MARKER) {
      found++;
      if (sampled < samples.length) sample(at, bytes, length);
      at += PAYLOAD_SIZE;
    } else {
      at++;
    }
  }
  counts[client]! += found;
  return found;
}

/** Takes the latency of an event, unless its time lies beyond this read. */
function sample(marker: number, bytes: Buffer, length: number): void {
  const start = marker + 1 + SEQUENCE_DIGITS;
  if (start + TIME_DIGITS > length) return;
  let time = 0;
  for (let at = start; at < start + TIME_DIGITS; at++) time = time * 10 + bytes[at]! - 48;
  samples[sampled++] = now() - time;
}

/** Counts byte by byte, with every sequence number checked, also across reads. */
function verify(client: number, bytes: Buffer, length: number): number {
  let found = 0;
  for (let at = 0; at < length; at++) {
    const byte = bytes[at]!;
    if (digitsLeft[client]! > 0) {
      partial[client] = partial[client]! * 10 + byte - 48;
      if (--digitsLeft[client]! === 0) {
        const expected = lastSequence[client]! + 1;
        const sequence = partial[client]!;
        if (sequence < expected) duplicates++;
        else {
          lost += sequence - expected;
          lastSequence[client] = sequence;
        }
      }
    } else if (byte === MARKER) {
      found++;
      if (sampled < samples.length) sample(at, bytes, length);
      partial[client] = 0;
      digitsLeft[client] = SEQUENCE_DIGITS;
    }
  }
  counts[client]! += found;
  return found;
}

function received(found: number): void {
  total += found;
  lastArrival = Date.now();
  if (total - ackedEvents >= ackUnit) {
    const turns = Math.floor((total - ackedEvents) / ackUnit);
    ackedEvents += turns * ackUnit;
    ackSocket?.write(Buffer.alloc(turns, 1));
  }
  if (arrival !== undefined && total >= arrival.events) {
    arrival.resolve();
    arrival = undefined;
  }
}

function open(client: number, options: ConnectOptions): Promise<void> {
  const { port, protocol } = options;
  return new Promise((resolve, reject) => {
    let head = '';
    let inBody = false;
    const path = options.paths[client % options.paths.length]!;
    const onRead = (bytes: Buffer, length: number): void => {
      bytesRead += length;
      if (inBody) {
        const found = (verifying ? verify : count)(client, bytes, length);
        if (found > 0) received(found);
        return;
      }
      head += bytes.toString('latin1', 0, length);
      try {
        inBody = hasHead(head, protocol);
      } catch (error) {
        reject(error as Error);
      }
      if (inBody) {
        head = '';
        resolve();
      }
    };
    const socket = clientSocket({ protocol, port, buffer, onRead });
    sockets.push(socket);
    socket.on('error', reject);
    socket.on('close', () => {
      if (!closing) closed++;
      reject(new Error(`The server closed the connection of client ${client}.`));
    });
    socket.write(requestFor(path, port, protocol));
  });
}

async function connect(options: ConnectOptions): Promise<{ elapsedMs: number }> {
  const offset = sockets.length;
  const size = offset + options.clients;
  verifying = options.verify;
  counts = new Uint32Array(size);
  digitsLeft = new Uint8Array(size);
  partial = new Float64Array(size);
  lastSequence = new Float64Array(size);
  const started = performance.now();
  let next = offset;
  const lane = async (): Promise<void> => {
    while (next < size) await open(next++, options);
  };
  await Promise.all(Array.from({ length: CONCURRENT_CONNECTS }, lane));
  return { elapsedMs: performance.now() - started };
}

async function settle(expected: number, quietMs: number): Promise<Counts> {
  lastArrival = Date.now();
  while (total < expected && Date.now() - lastArrival < quietMs) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // What a server sends twice would come now.
  await new Promise((resolve) => setTimeout(resolve, 50));
  let least = Infinity;
  let most = 0;
  for (const events of counts) {
    least = Math.min(least, events);
    most = Math.max(most, events);
  }
  return { total, least, most, lost, duplicates, closed, bytes: bytesRead };
}

function percentiles(): Percentiles {
  const sorted = samples.subarray(0, sampled).sort();
  const at = (share: number): number =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1_000;
  return { samples: sampled, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Closes every connection. */
function leaveAll(): undefined {
  for (const socket of sockets.splice(0)) {
    socket.removeAllListeners('close');
    leave(socket);
  }
}

serve<LoadCommands>({
  connect,
  leave: leaveAll,
  acknowledge: ({ port, unit }) =>
    new Promise((resolve, reject) => {
      ackUnit = unit;
      ackSocket = connectSocket({ host: '127.0.0.1', port, noDelay: true }, () =>
        resolve(undefined),
      );
      ackSocket.on('error', reject);
    }),
  hold: ({ ms, events }) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const started = now();
    return new Promise((resolve) => {
      arrival = { events: total + events, resolve: () => resolve({ micros: now() - started }) };
    });
  },
  settle: ({ events, quietMs }) => settle(events, quietMs),
  latencies: ({ capacity }) => {
    samples = new Float64Array(capacity);
    sampled = 0;
    return undefined;
  },
  percentiles,
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return { micros: user + system };
  },
  close: () => {
    closing = true;
    sockets.forEach(leave);
    ackSocket?.destroy();
    return undefined;
  },
});
