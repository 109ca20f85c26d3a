import { z } from 'zod';
// In an app of yours: from 'nestjs-sse-channels/channel', which a page can import as well.
import { defineChannel } from '../../lib/typed/index.js';

/** What is said in a room, and who is typing. `message` is the event without a type. */
export const Lounge = defineChannel('lounge:{room}', {
  message: z.object({ from: z.string(), text: z.string().max(2_000) }),
  typing: z.object({ from: z.string() }),
});
