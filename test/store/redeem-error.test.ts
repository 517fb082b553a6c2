/** What answers of token endpoints mean for a refresh token. */
import { describe, expect, it } from 'vitest'
import { classifyTokenError, failureOf, isRefusal, RedeemError } from '../../src/store/redeem-error.ts'
import { cpuMs } from '../support/cpu-time.ts'

describe('B1 G9 classification of token endpoint errors', () => {
  it.each<[string, number, unknown]>([
    ['invalid_grant', 400, { error: 'invalid_grant' }],
    ['invalid_grant with 401', 401, { error: 'invalid_grant' }],
    ["GitHub's bad_refresh_token with status 200", 200, { error: 'bad_refresh_token' }],
    [
      'invalid_request that means the refresh token',
      400,
      { error: 'invalid_request', error_description: 'The refresh token is expired.' },
    ],
    [
      'invalid_request in other words',
      400,
      { error: 'invalid_request', error_description: 'refresh_token has already been used' },
    ],
    ["Entra's interaction_required", 400, { error: 'interaction_required', error_description: 'AADSTS50079: enroll' }],
    ["Entra's login_required", 400, { error: 'login_required' }],
    ["Entra's consent_required", 400, { error: 'consent_required' }],
    ["HubSpot's own form", 400, { status: 'BAD_REFRESH_TOKEN', message: 'missing or invalid refresh token' }],
    ["Zoho's invalid_code with status 200", 200, { error: 'invalid_code' }],
    ["Atlassian's", 403, { error: 'unauthorized_client', error_description: 'refresh_token is invalid' }],
    ['access_denied', 403, { error: 'access_denied', error_description: 'user is blocked' }],
    ["Auth0's access_denied, of an Action", 500, { error: 'access_denied', error_description: 'no' }],
    ['a code that is none', 401, { error: 'Invalid refresh token' }],
    ['words without a code', 400, { message: 'Refresh token has been revoked.' }],
    [
      'words with a code of the server alone',
      500,
      { error: 'server_error', error_description: 'Refresh token expired' },
    ],
    ['an unknown refresh token', 400, { error: 'invalid_request', error_description: 'Unknown refresh token' }],
  ])('%s is a dead refresh token', (_, status, body) => expect(classifyTokenError(status, body)).toBe('dead'))

  it.each<[string, number, unknown]>([
    ['invalid_client', 401, { error: 'invalid_client' }],
    ['unauthorized_client', 400, { error: 'unauthorized_client' }],
    ['invalid_scope', 400, { error: 'invalid_scope' }],
    ['invalid_client in words', 401, { error: 'invalid_client', error_description: 'Invalid refresh token or client' }],
    [
      'invalid_target',
      400,
      { error: 'invalid_target', error_description: 'Refresh token is not found at this resource' },
    ],
    ['a grant type', 400, { error: 'unauthorized_client', error_description: "Invalid 'refresh_token' grant" }],
    [
      'a grant type in other words',
      400,
      { error: 'unauthorized_client', error_description: 'Invalid refresh_token grant' },
    ],
    [
      'a refresh token that nothing is said of',
      400,
      { error: 'x_expired', error_description: 'refresh token, please' },
    ],
    ['words in which it is the request that is invalid', 400, { message: 'refresh token of an invalid request' }],
    ['an error with status 200', 200, { error: 'incorrect_client_credentials' }],
    ['invalid_request about something else', 400, { error: 'invalid_request', error_description: 'Unknown resource' }],
    ['a 404 page', 404, undefined],
    ['a 403 without JSON', 403, undefined],
    ['a 400 with nonsense', 400, ['x']],
  ])('%s is no verdict on the refresh token', (_, status, body) =>
    expect(classifyTokenError(status, body)).toBe('rejected'),
  )

  it.each<[string, number, unknown]>([
    ['500', 500, undefined],
    ['503 with JSON', 503, { error: 'temporarily_unavailable' }],
    ['502 with HTML', 502, undefined],
    ['429', 429, { error: 'rate_limited' }],
    ['408', 408, undefined],
    ['400 temporarily_unavailable', 400, { error: 'temporarily_unavailable' }],
    ['200 with nonsense', 200, undefined],
    ['200 with null', 200, null],
    ['500 with words about something else', 500, { message: 'could not refresh token: invalid answer' }],
    ['429 with words', 429, { message: 'refresh token is invalid' }],
    ['500 with an error code', 500, { error: 'server_error' }],
  ])('%s is transient', (_, status, body) => expect(classifyTokenError(status, body)).toBe('transient'))

  it.each([
    ['a code that is not known', new RedeemError('rejected', '400', { error: 'invalid_request' }), true],
    ['no code', new RedeemError('rejected', '404'), false],
    ['invalid_client', new RedeemError('rejected', '401', { error: 'invalid_client' }), false],
    ["Slack's bad_client_secret", new RedeemError('rejected', '200', { error: 'bad_client_secret' }), false],
    ['invalid_scope', new RedeemError('rejected', '400', { error: 'invalid_scope' }), false],
    ['invalid_target', new RedeemError('rejected', '400', { error: 'invalid_target' }), false],
    ['unsupported_grant_type', new RedeemError('rejected', '400', { error: 'unsupported_grant_type' }), false],
    ['no answer', new RedeemError('transient', '503', { error: 'server_error' }), false],
    ['nothing of ours', new TypeError('fetch failed'), false],
  ])('may be a refusal of the token: %s', (_, thrown, expected) => expect(isRefusal(thrown)).toBe(expected))

  it('whatever else is thrown is transient', () => {
    expect(failureOf(new TypeError('fetch failed'))).toBe('transient')
    expect(failureOf('text')).toBe('transient')
    expect(failureOf(new RedeemError('dead', 'invalid_grant'))).toBe('dead')
  })

  it('a description as long as it likes is looked at in no time', () => {
    const description = `refresh token ${'refresh token'.repeat(20_000)}`
    const ms = cpuMs(() => {
      classifyTokenError(400, { error: 'invalid_request', error_description: description })
      classifyTokenError(400, { error: description, error_description: description })
    })
    expect(ms).toBeLessThan(500)
  })
})
