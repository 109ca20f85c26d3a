import { Controller, Sse } from '@nestjs/common';
import { SseChannel } from '../../lib/index.js';

interface AppRequest {
  readonly headers: Record<string, string | undefined>;
}

/** The option `client`: who is behind a request stands in its headers. */
export const byHeader = ({ headers }: AppRequest) => {
  const { 'x-user': user, 'x-info': info } = headers;
  return user === undefined
    ? undefined
    : { id: decodeURIComponent(user), info: info && (JSON.parse(info) as unknown) };
};

/** Streams of the channel that the path names: with presence, with its events, without both. */
@Controller()
export class RoomsController {
  @Sse('present/:room')
  @SseChannel('{room}', { presence: true })
  present() {}

  @Sse('announced/:room')
  @SseChannel('{room}', { presence: 'events' })
  announced() {}

  @Sse('rooms/:room')
  @SseChannel('{room}')
  room() {}
}
