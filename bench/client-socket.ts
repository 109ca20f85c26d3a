import { connect as connectSocket, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import type { Protocol } from './servers/peer.js';

export interface ClientSocketOptions {
  readonly protocol: Protocol;
  readonly port: number;
  /** What TCP's bytes are read into, over and over. Those of TLS come in buffers of their own. */
  readonly buffer: Buffer;
  /** Called with what has been read, of which the first `length` bytes count. */
  readonly onRead: (bytes: Buffer, length: number) => void;
}

/** Connects one client, with nothing between it and the bytes of its protocol. */
export function clientSocket({ protocol, port, buffer, onRead }: ClientSocketOptions): Socket {
  const host = '127.0.0.1';
  if (protocol === 'http') {
    const callback = (length: number): boolean => {
      onRead(buffer, length);
      return true;
    };
    return connectSocket({ host, port, noDelay: true, onread: { buffer, callback } });
  }
  const ALPNProtocols = [protocol === 'http2' ? 'h2' : 'http/1.1'];
  const socket = connectTls({ host, port, ALPNProtocols, rejectUnauthorized: false });
  socket.setNoDelay(true);
  socket.on('data', (bytes: Buffer) => onRead(bytes, bytes.length));
  return socket;
}

/** Closes a connection: by a reset, after which no port waits in TIME_WAIT, where there is no TLS. */
export function leave(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

/** What asks for an event stream. */
export function requestFor(path: string, port: number, protocol: Protocol): Buffer {
  const host = `127.0.0.1:${port}`;
  return protocol === 'http2'
    ? http2Request(path, host)
    : Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`);
}

/**
 * Finds out whether the head of an answer has come, of all bytes so far.
 * @throws Error for an answer that is no stream
 */
export function hasHead(bytes: string, protocol: Protocol): boolean {
  if (protocol === 'http2') {
    return hasHttp2Head(Buffer.from(bytes, 'latin1'));
  }
  if (!bytes.includes('\r\n\r\n')) return false;
  if (!/^HTTP\/1\.1 20[01] /.test(bytes)) {
    throw new Error(`The server answered: ${bytes.slice(0, 300)}`);
  }
  return true;
}

const FRAME_HEAD = 9;
const HEADERS = 1;
const SETTINGS = 4;
const WINDOW_UPDATE = 8;
/** https://www.rfc-editor.org/rfc/rfc9113#section-6.9.1 */
const MAX_WINDOW = 0x7fff_ffff;
const FIRST_WINDOW = 0xffff;
/** `:status: 200`, https://www.rfc-editor.org/rfc/rfc7541#appendix-A */
const STATUS_200 = 0x88;

function hasHttp2Head(bytes: Buffer): boolean {
  let at = 0;
  while (bytes.length > at + FRAME_HEAD) {
    if (bytes[at + 3] === HEADERS) {
      if (bytes[at + FRAME_HEAD] !== STATUS_200) throw new Error('The server did not answer 200.');
      return true;
    }
    at += FRAME_HEAD + bytes.readUIntBE(at, 3);
  }
  return false;
}

/** A connection's beginning with one request, and windows for all events of a run. */
function http2Request(path: string, host: string): Buffer {
  const windows = Buffer.alloc(6);
  windows.writeUInt16BE(4, 0);
  windows.writeUInt32BE(MAX_WINDOW, 2);
  const more = Buffer.alloc(4);
  more.writeUInt32BE(MAX_WINDOW - FIRST_WINDOW, 0);
  const headers = Buffer.concat([
    // GET and https, of the table; then the authority and the path as they are.
    Buffer.from([0x82, 0x87, 0x01, host.length]),
    Buffer.from(host),
    Buffer.from([0x04, path.length]),
    Buffer.from(path),
  ]);
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(SETTINGS, 0, 0, windows),
    frame(WINDOW_UPDATE, 0, 0, more),
    // END_STREAM and END_HEADERS.
    frame(HEADERS, 0x05, 1, headers),
  ]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
