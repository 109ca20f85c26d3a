import { Random } from '../channel/random.js';
import type { PlaceOfCut } from '../support/proxy.js';

const LINE_FEED = 10;

const END_OF_HEAD = '\r\n\r\n';

/** In how many bytes after the head most cuts are. */
const BODY_BYTES = 2_000;

/**
 * Cuts connections so many times, before the answer or at a random byte of its body; see
 * `TcpProxy.cutAt`. Two places are left out, at which clients fail by themselves: inside of the
 * head, as Chromium takes what it has got for the whole head when plain HTTP ends there; and right
 * before the empty line of a frame, see {@link cutBeforeEmptyLine}.
 */
export class RandomCuts {
  /** How many connections have been cut. */
  made = 0;
  private planned = 0;
  private readonly random: Random;

  constructor(
    seed: number,
    readonly count: number,
  ) {
    this.random = new Random(seed);
  }

  get areDone(): boolean {
    return this.made === this.count;
  }

  readonly place = (): PlaceOfCut => {
    if (this.planned === this.count) return never;
    this.planned++;
    const isBeforeAnswer = this.random.chance(0.1);
    let left = this.random.below(BODY_BYTES);
    let isInBody = false;
    return (chunk) => {
      if (isBeforeAnswer) {
        this.made++;
        return 0;
      }
      const body = isInBody ? 0 : chunk.indexOf(END_OF_HEAD) + END_OF_HEAD.length;
      isInBody = true;
      const at = body + left;
      if (at > chunk.length) {
        left -= chunk.length - body;
        return -1;
      }
      this.made++;
      return chunk[at - 1] === LINE_FEED && chunk[at] === LINE_FEED ? at + 1 : at;
    };
  };
}

const never: PlaceOfCut = () => -1;

/** Cuts one connection after its first frame. `then` is called at once. */
export function cutAfterFirstFrame(then: () => void): () => PlaceOfCut {
  return once(() => {
    let received = '';
    return (chunk) => {
      const before = received.length;
      received += chunk.toString('latin1');
      const body = received.indexOf(END_OF_HEAD) + END_OF_HEAD.length;
      const end = body < END_OF_HEAD.length ? -1 : received.indexOf('\n\n', body);
      if (end < 0) return -1;
      then();
      return end + 2 - before;
    };
  });
}

/** Cuts one connection after the first of these texts, the next one after the second, and so on. */
export function cutAfter(...texts: string[]): () => PlaceOfCut {
  return () => (chunk) => {
    const at = texts.length === 0 ? -1 : chunk.indexOf(texts[0]!);
    return at < 0 ? -1 : at + Buffer.byteLength(texts.shift()!);
  };
}

/** Cuts one connection right after the last line of the frame with this data. */
export function cutBeforeEmptyLine(data: string): () => PlaceOfCut {
  return once(() => (chunk) => {
    const start = chunk.indexOf(`data: ${data}\n`);
    return start < 0 ? -1 : chunk.indexOf('\n\n', start) + 1;
  });
}

function once(place: () => PlaceOfCut): () => PlaceOfCut {
  let isCut = false;
  return () => {
    const find = place();
    return (chunk) => {
      const at = isCut ? -1 : find(chunk);
      isCut ||= at >= 0;
      return at;
    };
  };
}
