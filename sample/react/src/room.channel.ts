import { defineChannel, unchecked } from 'nestjs-sse-channels/channel';

/**
 * A room, as the sample sends to it. In an application of yours the server imports this module as well,
 * and sends by it: `sse.to(Room, { room }).send('message', 'Hi')`.
 */
export const Room = defineChannel('room:{room}', {
  /** Text, or whatever JSON somebody has posted. */
  message: unchecked<string | object>(),
});
