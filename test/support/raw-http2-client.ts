import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const CANCEL = 8;

/** An HTTP/2 client that is no more than frames on a socket, for what a well-behaved one does not do. */
export class RawHttp2Client {
  private streams = 0;

  private constructor(readonly socket: Socket) {
    socket.on('error', () => undefined).resume();
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    socket.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)));
  }

  static async open(url: string): Promise<RawHttp2Client> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new RawHttp2Client(socket);
  }

  /** Asks for streams and cancels each, all in one write. */
  askAndCancel(path: string, count: number): void {
    const frames: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const id = 2 * this.streams++ + 1;
      const code = Buffer.alloc(4);
      code.writeUInt32BE(CANCEL);
      frames.push(
        frame(HEADERS, END_STREAM | END_HEADERS, id, headersOf(path)),
        frame(RST_STREAM, 0, id, code),
      );
    }
    this.socket.write(Buffer.concat(frames));
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** `GET http://localhost<path>`: https://www.rfc-editor.org/rfc/rfc7541#appendix-A has the numbers. */
function headersOf(path: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x80 | 2, 0x80 | 6, 1, 'localhost'.length]),
    Buffer.from('localhost'),
    Buffer.from([4, path.length]),
    Buffer.from(path),
  ]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
