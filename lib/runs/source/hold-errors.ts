import { types } from 'node:util';

/** What Node's streams have. */
interface NodeStreamLike {
  readonly pipe?: unknown;
  on?(event: 'error', listener: () => void): void;
}

const ignore = (): void => undefined;

/**
 * Takes the errors of a source that was given before its run has begun, and that may be refused: nobody else
 * listens to a promise or a stream of Node, and Node ends the process at an error that nobody takes. Whoever
 * reads the source gets the error as well.
 */
export function holdErrors(source: unknown): void {
  if (types.isPromise(source)) {
    source.then(holdErrors, ignore);
  } else if (isNodeStream(source)) {
    source.on('error', ignore);
  }
}

function isNodeStream(source: unknown): source is Required<NodeStreamLike> {
  try {
    const { pipe, on } = Object(source) as NodeStreamLike;
    // An Observable has a `pipe()` as well.
    return typeof pipe === 'function' && typeof on === 'function';
  } catch {
    // Whoever reads the source is told.
    return false;
  }
}
