// In an app of yours: from 'nestjs-sse-channels/channel', which a page can import as well.
import { defineChannel, unchecked } from '../lib/typed/index.js';

/**
 * A key of the cache. In an app of yours, put a prefix of your own into the template (`'job:{key}'`): this one
 * lets everybody read every key.
 */
export const Key = defineChannel('{key}', { message: unchecked<unknown>() });
