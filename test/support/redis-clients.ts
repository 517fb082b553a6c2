/** Clients of every kind that the Redis store takes, to be closed together. */
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import type { RedisClient } from '../../src/stores/redis.ts'
import type { RedisCluster, RedisServer } from './redis.ts'

/** The kinds of client for a single server. */
export const singleKinds = ['node-redis', 'ioredis'] as const

/** The kinds of client for a cluster. */
export const clusterKinds = ['node-redis cluster', 'ioredis cluster'] as const

export interface Clients {
  single(kind: (typeof singleKinds)[number], server: RedisServer): Promise<RedisClient>
  cluster(kind: (typeof clusterKinds)[number], cluster: RedisCluster): Promise<RedisClient>
  close(): void
}

export function makeClients(): Clients {
  const closing: (() => void)[] = []
  return {
    async single(kind, { url }) {
      if (kind === 'ioredis') {
        const client = new Redis(url)
        closing.push(() => client.disconnect())
        client.on('error', () => {})
        return client
      }
      const client = createClient({ url, socket: { reconnectStrategy: 50 } })
      closing.push(() => client.destroy())
      client.on('error', () => {})
      return client.connect()
    },
    async cluster(kind, { nodes }) {
      if (kind === 'ioredis cluster') {
        const client = new Cluster(nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
        closing.push(() => client.disconnect())
        client.on('error', () => {})
        return client
      }
      const client = createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) })
      closing.push(() => client.destroy())
      client.on('error', () => {})
      return client.connect()
    },
    close() {
      for (const close of closing.splice(0)) close()
    },
  }
}
