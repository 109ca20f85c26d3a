import { z } from 'zod';
// In an app of yours: from 'nestjs-sse-channels/channel'.
import { defineChannel } from '../lib/typed/index.js';

const order = z.object({ id: z.number(), item: z.string() });

/** The rows that the trigger writes into the event table. A column that stands not here reaches nobody. */
export const Orders = defineChannel('orders', { insert: order, update: order, delete: order });
