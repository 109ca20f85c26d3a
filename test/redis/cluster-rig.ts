import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { Cluster } from 'ioredis';
import { startCluster, type ClusterUser, type TestCluster } from './topologies.js';

/**
 * A Cluster for the tests of a `describe()`, and clients of it that end with each test.
 *
 * @param stopUsers stops those that use the clients, before these end
 */
export function clusterRig(stopUsers: () => Promise<void>) {
  let servers: TestCluster;
  const clients: Cluster[] = [];

  beforeAll(async () => {
    servers = await startCluster();
  });

  afterEach(async () => {
    await stopUsers();
    clients.splice(0).forEach((client) => client.disconnect());
  });

  afterAll(async () => {
    await servers.stop();
  });

  return {
    get servers(): TestCluster {
      return servers;
    },
    client(user?: ClusterUser): Cluster {
      const client = servers.client(user);
      clients.push(client);
      return client;
    },
  };
}
