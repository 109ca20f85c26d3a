import { Controller, Sse } from '@nestjs/common';
import { SseChannel } from '../../lib/index.js';

export interface AppRequest {
  readonly headers: Record<string, string | undefined>;
}

/** The module's option `client`: who is behind a request stands in its header `x-user`. */
export const byUser = ({ headers }: AppRequest) => headers['x-user'];

/** Streams of the channel that the path names, and of two channels. */
@Controller()
export class RoomsController {
  @Sse('rooms/:room')
  @SseChannel('{room}')
  room() {}

  @Sse('several')
  @SseChannel(() => ['a', 'b'])
  several() {}
}
