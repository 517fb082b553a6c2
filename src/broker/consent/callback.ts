/**
 * The authorization server's answer (RFC 6749 §4.1.2). In this order: the browser is the one that began, the flow is used up,
 * the person is still the one who is signed in, may still use the server, and the answer is of the server that was asked; only
 * then is the code redeemed.
 */

import { messageOf } from '../../core/errors.ts'
import type { GateRequest, Reply } from '../../http/gate.ts'
import { readForm, readQuery } from '../../http/parameters.ts'
import { redirect, withCookies } from '../../http/redirect.ts'
import { problem } from '../../http/replies.ts'
import { presentable } from '../../net/fetch.ts'
import { AuthorizationError } from '../../oauth/authorization-error.ts'
import { connectedPage } from '../../pages/connect-pages.ts'
import type { BoundClient } from '../bound-client.ts'
import { toUpstreamTokens, type UpstreamTokens } from '../tokens.ts'
import { type ConsentFlow, stillFits } from './flows.ts'
import { CONSENT, type ConsentParts, consentFailed, isFor, nameOf, reasonOf, visitorOf } from './parts.ts'
import { boundOf, sharesCallback } from './shared-callbacks.ts'

/** Answers requests to the callback at `path`. */
export type ConsentCallback = (request: GateRequest, path: string) => Promise<Reply>

/** An answer that came by POST, sealed, on its way to the GET that sees the person's session. */
const ANSWER = 'answer'
/** It has to fit into a request line; codes have 2,000 characters at most in practice. */
const MAX_ANSWER = 4_096
/** RFC 6749 §4.1.2, §4.1.2.1, RFC 9207. A server may send more, which is of no use here. */
const ANSWER_PARAMETERS = ['code', 'error', 'error_description', 'iss', 'state']

/** See the top of the file. */
export function createConsentCallback(parts: ConsentParts): ConsentCallback {
  const {
    url,
    connectPath,
    signIn,
    links,
    flows,
    attempts,
    connections,
    connected,
    same,
    clock,
    clients,
    mayConnect,
    tell,
    brand,
  } = parts
  const answers = parts.sealer('consent-answer')

  /** A fresh link for what came to nothing; none where that cannot be had either. */
  async function again(flow: ConsentFlow): Promise<{ retryHref?: string }> {
    const { server, owner, by, returnTo, ownerLabel, stepUp } = flow
    const request = {
      server,
      owner,
      by,
      ...(returnTo === undefined ? {} : { returnTo }),
      ...(ownerLabel === undefined ? {} : { ownerLabel }),
      ...(stepUp === undefined ? {} : { stepUp }),
    }
    try {
      return { retryHref: `${url}${connectPath}/${await links.open(request)}` }
    } catch {
      return {}
    }
  }

  /**
   * `form_post`: a POST from another site comes without the session's cookie, whose `SameSite` is `Lax` at least. So the browser
   * comes back by GET; the answer goes along sealed, since URLs end up in logs.
   */
  async function byPost(request: GateRequest, path: string): Promise<Reply> {
    const form = await readForm(request)
    if (form === undefined) return consentFailed(parts, 'invalid', undefined, 'the answer is not a form')
    const state = stateOf(form)
    if ((await attempts.find(CONSENT, state, request.headers.cookie)) === undefined) return unknown()
    const kept = new URLSearchParams([...form].filter(([name]) => ANSWER_PARAMETERS.includes(name)))
    const sealed = await answers.sealText(kept.toString(), `${path} ${state}`)
    if (sealed.length > MAX_ANSWER) return consentFailed(parts, 'invalid', undefined, 'the answer is too long')
    return redirect(303, `${url}${path}?${new URLSearchParams({ state, [ANSWER]: sealed })}`)
  }

  async function byGet(request: GateRequest, path: string): Promise<Reply> {
    const query = readQuery(request.target)
    const state = stateOf(query)
    if ((await attempts.find(CONSENT, state, request.headers.cookie)) === undefined) return unknown()
    const sealed = query.get(ANSWER)
    const answer = sealed === null ? query : await opened(sealed, `${path} ${state}`)
    if (answer === undefined) return consentFailed(parts, 'invalid', undefined, 'the sealed answer does not open')
    // The cookie is what only this browser knows.
    return same.once(`${path} ${answer} ${request.headers.cookie}`, () => finish(request, path, state, answer))
  }

  async function opened(sealed: string, place: string): Promise<URLSearchParams | undefined> {
    try {
      return new URLSearchParams((await answers.openText(sealed, place)).plaintext)
    } catch {
      return undefined
    }
  }

  /** Used already (back button, a second click), too old, begun in another browser, or made up. */
  function unknown(): Reply {
    return consentFailed(parts, 'expired', undefined, 'this browser has no such consent under way')
  }

  async function finish(request: GateRequest, path: string, state: string, answer: URLSearchParams): Promise<Reply> {
    const over = [attempts.end(state)]
    const flow = await flows.take(state)
    if (flow === undefined) return withCookies(unknown(), over)
    return withCookies(await judge(request, path, state, answer, flow), over)
  }

  async function judge(
    request: GateRequest,
    path: string,
    state: string,
    answer: URLSearchParams,
    flow: ConsentFlow,
  ): Promise<Reply> {
    let upstream: BoundClient | undefined
    let tokens: UpstreamTokens
    try {
      const visitor = await visitorOf(signIn, request, flow.by)
      const who = nameOf(visitor)
      const identity = visitor.kind === 'person' ? visitor.identity : null
      const shown = { ...(who && { who }), by: identity?.id ?? null }
      if (visitor.kind === 'nobody') {
        return consentFailed(parts, 'signed_out', flow, 'nobody is signed in any more', await again(flow))
      }
      if (!isFor(flow.by, visitor)) {
        const detail = 'another person is signed in than the one who began'
        return consentFailed(parts, 'other_person', flow, detail, shown)
      }
      upstream = await clients().get(flow.server)?.known(true)
      if (upstream === undefined || !stillFits(flow, upstream) || flow.redirectUri !== `${url}${path}`) {
        const detail = 'the answer came to another callback, or the server has been configured anew meanwhile'
        return consentFailed(parts, 'expired', flow, detail, upstream === undefined ? {} : await again(flow))
      }
      const { server, owner, by } = flow
      if (!(await mayConnect({ server, owner, by, identity }))) {
        return consentFailed(parts, 'no_access', flow, 'they may not use the server any more', shown)
      }
      const { origin, client, redirectUri } = upstream
      const comparable = await comparableAnswer(answer, upstream)
      const set = await client.redeem(comparable, { redirectUri, state, verifier: flow.verifier })
      const { scopes: requested = flow.scopes, count: stepUps = 0 } = flow.stepUp ?? {}
      tokens = toUpstreamTokens(flow.server, origin, set, Math.round(clock.now()), { requested, stepUps })
    } catch (error) {
      return consentFailed(parts, reasonOf(error), flow, messageOf(error), await again(flow))
    }
    try {
      await connections.connect(flow.owner, tokens)
    } catch (error) {
      // Nobody can use what is not stored, so nobody should be able to; but what stood before goes on standing.
      const kept = await connections.discard(flow.owner, tokens)
      const detail = kept === undefined ? messageOf(error) : `${messageOf(error)} (the tokens: ${kept})`
      return consentFailed(parts, 'unavailable', flow, detail, await again(flow))
    }
    tell({ kind: 'connected', server: flow.server, owner: flow.owner, by: flow.by?.id ?? null })
    if (flow.returnTo !== undefined) return redirect(303, flow.returnTo)
    const { label } = upstream.server
    // The code and the state stand in this address, and would stay in the bar and in the history.
    const random = await connected.put(label).catch(() => undefined)
    if (random === undefined) return connectedPage({ label, ...(brand && { brand }) })
    return redirect(303, `${url}${connectPath}/${random}`)
  }

  /**
   * Without an issuer there is nothing that `iss` could be compared with. On a path of its own that does no harm: no other
   * server's answers come there.
   */
  async function comparableAnswer(answer: URLSearchParams, upstream: BoundClient): Promise<URLSearchParams> {
    if (upstream.demandsIss && !answer.has('iss')) {
      throw new AuthorizationError(
        'invalid',
        `the answer of ${presentable(upstream.origin.issuer)} has no iss (RFC 9207)`,
      )
    }
    const copy = new URLSearchParams(answer)
    if (!upstream.comparesIss && !sharesCallback(upstream, await boundOf(clients().values()))) copy.delete('iss')
    return copy
  }

  /** Whether answers come to a path by POST. */
  async function takesPost(path: string): Promise<boolean> {
    const posting = [...clients().values()].filter(({ server }) => server.auth.responseMode === 'form_post')
    return (await boundOf(posting)).some(({ callbackPath }) => callbackPath === path)
  }

  return async (request, path) => {
    if (request.method === 'GET') return byGet(request, path)
    const posts = await takesPost(path)
    if (request.method === 'POST' && posts) return byPost(request, path)
    return problem(405, { allow: posts ? 'GET, POST' : 'GET' })
  }
}

function stateOf(parameters: URLSearchParams): string {
  const states = parameters.getAll('state')
  return states.length === 1 ? (states[0] ?? '') : ''
}
