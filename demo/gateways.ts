/** What is behind the guards: a gateway for each server, all on one SQLite file, and the four MCP servers that they lead to. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Gate, type Guard, generateKey } from 'sallyport'
import type { AuditEvent, Gateway } from 'sallyport/gateway'
import { sqliteStore } from 'sallyport/stores/sqlite'
import { createDemoGateway, type GatewaySurroundings } from './gateway.ts'
import type { Place } from './guard.ts'
import { stop } from './ports.ts'
import { startCalculator } from './upstreams/calculator.ts'
import { startCode } from './upstreams/code.ts'
import { startHub } from './upstreams/hub.ts'
import { startOrders } from './upstreams/orders.ts'
import type { Upstream } from './upstreams/upstream.ts'

/** The MCP servers by what they are. */
export type Upstreams = Readonly<Record<keyof GatewaySurroundings['upstreams'], Upstream>>

/** A gateway that can be closed and opened again in its place. */
export interface GatewayPlace {
  /** The one that is there now. */
  readonly gateway: Gateway
  /** Stands in front of the server all the time. */
  readonly gate: Gate
}

/** All of them. */
export interface Gateways {
  /** The gateway of one of the servers. */
  placeOf(server: number): GatewayPlace
  /** What to register at the authorization server of `dev/code`. */
  redirectUrls(): string[]
  readonly upstreams: Upstreams
  /** The database that they share. */
  readonly file: string
  /** What they have told, oldest first. */
  readonly audit: readonly AuditEvent[]
  /** Tells of what comes. */
  listen(listener: (event: AuditEvent) => void): void
  ready(): Promise<void>
  /** Closes all gateways and opens new ones on the same file: nothing is kept but what is in there. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** Starts the MCP servers on `ports` and makes a gateway for each of `servers`. */
export async function startGateways(
  servers: readonly { readonly server: Place; readonly guard: Guard }[],
  ports: readonly number[],
  issuers: Pick<GatewaySurroundings, 'corp' | 'branch' | 'code'>,
): Promise<Gateways> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-demo-'))
  const file = join(folder, 'gateway.db')
  const [calculatorPort = 0, hubPort = 0, codePort = 0, ordersPort = 0] = ports
  const upstreams: Upstreams = {
    calculator: await startCalculator(calculatorPort),
    hub: await startHub(hubPort),
    code: await startCode(codePort, issuers.code),
    orders: await startOrders(ordersPort, issuers.corp),
  }
  const audit: AuditEvent[] = []
  const listeners: ((event: AuditEvent) => void)[] = []
  const surroundings: Omit<GatewaySurroundings, 'store'> = {
    ...issuers,
    key: generateKey(),
    upstreams: {
      calculator: upstreams.calculator.url,
      hub: upstreams.hub.url,
      code: upstreams.code.url,
      orders: upstreams.orders.url,
    },
    audit: (event) => {
      audit.push(event)
      for (const listener of listeners) listener(event)
    },
  }
  const make = () =>
    servers.map(({ server, guard }) => {
      // A handle each, as replicas of a gateway have it.
      const store = sqliteStore(file)
      return { store, gateway: createDemoGateway(server, guard, { ...surroundings, store }) }
    })
  let running = make()

  const current = (index: number): Gateway => {
    const found = running[index]
    if (found === undefined) throw new RangeError(`no gateway ${index}`)
    return found.gateway
  }
  const ready = async () => {
    await Promise.all(running.map(({ gateway }) => gateway.ready()))
  }
  const closeAll = async () => {
    await Promise.all(running.map(({ gateway }) => gateway.close()))
    await Promise.all(running.map(({ store }) => store.close()))
  }

  return {
    placeOf: (index) => ({
      get gateway() {
        return current(index)
      },
      gate: {
        handle: (request) => current(index).handle(request),
        ready: () => current(index).ready(),
        close: () => current(index).close(),
      },
    }),
    redirectUrls: () => running.flatMap(({ gateway }) => gateway.redirectUrls().map(({ redirectUrl }) => redirectUrl)),
    upstreams,
    file,
    audit,
    listen: (listener) => {
      listeners.push(listener)
    },
    ready,
    async restart() {
      await closeAll()
      running = make()
      await ready()
    },
    async close() {
      await closeAll()
      await Promise.all(Object.values(upstreams).map(({ server }) => stop(server)))
      await rm(folder, { recursive: true, force: true })
    },
  }
}
