import { settingsOf } from '../../lib/setup/settings.js';
import { ours, shown, type Measurements } from './measurements.js';

const CONNECTIONS = 50_000;
const INSTANCES = 5;
const EVENTS_PER_SECOND = 1_000;
const ROOMS = 1_000;
const DATA_BYTES = 200;
/** How often everybody may get the state in place of each change. */
const STATES_PER_SECOND = 10;

const count = (value: number): string => value.toLocaleString('en-US');
const cores = (value: number): string => `${shown(value)} ${value === 1 ? 'core' : 'cores'}`;

/** An example in the page: 50,000 connections and 1,000 events a second, from measurements. */
export function exampleOf({ bench, sizing }: Measurements): string[] {
  const micros = 1e-6;
  const { retain, drainTimeout } = settingsOf({});
  const { connections, channels, redis } = sizing;
  const { rss, cpuPerOpening } = connections.fastify;
  const perRoom = CONNECTIONS / ROOMS;
  const deliveries = EVENTS_PER_SECOND * perRoom;
  const delivering = deliveries * ours(bench, 'channels-1000', 'cpuPerEvent') * micros;
  const heartbeats = (CONNECTIONS / 18_000) * ours(bench, 'idle-18000', 'idleCpu');
  const receiving = EVENTS_PER_SECOND * INSTANCES * redis['single-3'].receiver * micros;
  const sending = EVENTS_PER_SECOND * redis['single-3'].sender * micros;
  const all = delivering + heartbeats + receiving + sending;
  const further = Math.max(0, (redis['single-3'].redis - redis['single-1'].redis) / 2);
  const inRedis =
    EVENTS_PER_SECOND * (redis['single-1'].redis + (INSTANCES - 1) * further) * micros;
  const retained = Math.min(retain.events, (EVENTS_PER_SECOND / ROOMS) * (retain.age / 1_000));
  const windows = ROOMS * (channels.channel + retained * (DATA_BYTES + channels.event100 - 100));
  const perInstance = CONNECTIONS / INSTANCES;
  const drain = drainTimeout / 1_000;
  const returning = (perInstance * cpuPerOpening * micros) / drain / (INSTANCES - 1);
  const one = ours(bench, 'growth-16000', 'cpuPerEvent') * micros;
  const ten = ours(bench, 'clients-8000', 'cpuPerEvent') * micros;
  return [
    '### An example',
    `${count(CONNECTIONS)} connections, ${count(EVENTS_PER_SECOND)} events a second of ${DATA_BYTES} bytes, ${INSTANCES} instances on Fastify behind a proxy, and Redis.`,
    [
      `**In ${count(ROOMS)} rooms of ${perRoom} clients each**, spread over all instances:`,
      '',
      `- ${count(EVENTS_PER_SECOND)} × ${perRoom} = ${count(deliveries)} deliveries a second: ${cores(delivering)}. Heartbeats: ${cores(heartbeats)}. ` +
        `Each instance receives each event: ${cores(receiving)}. Sending: ${cores(sending)}.`,
      `- In all ${cores(all)}, which is ${shown((all / INSTANCES) * 100)} % of a core for each of ${INSTANCES} instances; and ${shown(inRedis * 100)} % of a core for Redis.`,
      `- Memory for each instance, beside the application's own: ${count(perInstance)} connections ${shown((perInstance * rss) / 1e6)} MB; ` +
        `windows of ${count(ROOMS)} rooms, ${count(retained)} events each, ${shown(windows / 1e6)} MB. Lower \`retain\` to halve that.`,
      `- An instance ends: its ${count(perInstance)} clients return within ${shown(drain)} s, which takes ${shown(returning * 100)} % of a core of each other instance. ` +
        `They then have ${count(CONNECTIONS / (INSTANCES - 1))} connections each: \`limits.connections\` and the limit of open files must allow that.`,
    ].join('\n'),
    [
      `**All of it to everybody** is ${count(EVENTS_PER_SECOND * CONNECTIONS)} deliveries a second: ${cores(EVENTS_PER_SECOND * CONNECTIONS * one)}, ` +
        `or ${shown(EVENTS_PER_SECOND * CONNECTIONS * ten)} where 10 events share a turn.`,
      `A state that is sent ${STATES_PER_SECOND} times a second in place of each change takes ${shown(STATES_PER_SECOND * CONNECTIONS * one)}.`,
    ].join('\n'),
  ];
}
