// In an app of yours: from 'nestjs-sse-channels/channel', which a page can import as well.
import { defineChannel, unchecked } from '../lib/typed/index.js';

/**
 * A room. `{room}` is encoded, so that it cannot name a channel outside of `room:`. Whoever reaches the sample may
 * say anything, so nothing is checked; the lounge has a schema.
 */
export const Room = defineChannel('room:{room}', {
  /** Text, or whatever JSON somebody has posted. */
  message: unchecked<unknown>(),
});
