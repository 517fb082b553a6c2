/** The gateway's own pages, made of its own methods; where none are configured, there are none. */
import type { Clock } from '../core/clock.ts'
import type { Sealer } from '../core/sealing.ts'
import { createPortal, type Portal } from '../portal/create-portal.ts'
import type { PortalParts } from '../portal/parts.ts'
import type { TokenStore } from '../store/token-store.ts'
import type { GatewayConfig } from './config.ts'
import type { Gateway } from './gateway.ts'

/** What the pages need beside the configuration. */
export interface GatewayPortalParts {
  /** The gateway's origin. */
  readonly url: string
  readonly store: TokenStore
  readonly sealer: (purpose: string) => Sealer
  readonly clock: Clock
  readonly gateway: Gateway
  readonly usesAny: PortalParts['usesAny']
  readonly failed: PortalParts['failed']
}

/** See the top of the file. */
export function createGatewayPortal(
  { pages, signIn }: Pick<GatewayConfig, 'pages' | 'signIn'>,
  { url, ...parts }: GatewayPortalParts,
): Portal | undefined {
  if (pages?.path === undefined || signIn === undefined || signIn === 'link') return undefined
  return createPortal({ ...parts, origin: url, path: pages.path, brand: pages.brand, signIn })
}
