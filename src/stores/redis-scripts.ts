/**
 * What runs inside Redis. Each script touches one hash slot and names all its keys,
 * and time is the server's.
 *
 * - A record is one string: its version (22 characters), then its value.
 * - `ids` and `expiries` are the owner's index; they and `place` expire with the
 *   owner's last record, so that nothing stays behind where nobody looks.
 * - `place` says where the owner is in the list of owners, and until when that
 *   holds: `<token>:<epoch milliseconds>`, 0 for good (see `redis-owners.ts`).
 *   The entry in that list holds as long or longer.
 */
import { createHash } from 'node:crypto'
import type { RedisArgument, RedisDriver } from './redis-driver.ts'

/** A script with the name that Redis gives it. */
export interface RedisScript {
  readonly source: string
  readonly sha: string
}

/** Characters in a version and in a token. */
export const VERSION_LENGTH = 22

/** How long the list of owners keeps what has expired, for clocks of nodes that differ; milliseconds. */
const SLACK = 3_600_000
/** After so long nobody is about to use a place that no owner has; milliseconds. */
const ABANDONED = 24 * SLACK

const TIME = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function int(number) return string.format('%.0f', number) end
`

/** Expired records leave the index a few at a time, a second after they have gone. */
const PURGE = `
local function purge(ids, expiries)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', expiries, '-inf', int(now - 1000), 'LIMIT', 0, 10)) do
    redis.call('ZREM', ids, id)
    redis.call('ZREM', expiries, id)
  end
end
`

/** Gives up the owner's place when the owner has no records: the token, or ''. */
const LEAVE = `
local function leave(ids, place)
  if redis.call('EXISTS', ids) == 1 then return '' end
  local held = redis.call('GET', place)
  if not held then return '' end
  redis.call('DEL', place)
  return string.sub(held, 1, ${VERSION_LENGTH})
end
`

/**
 * Where the owner had records for good and none of those is left, what is kept of the owner ends with the last one. The
 * entry in the list of owners stays as it is: somebody may be about to use it for good.
 */
const SETTLE = `
local function settle(ids, expiries, place)
  local held = redis.call('GET', place)
  if not held or string.sub(held, ${VERSION_LENGTH + 2}) ~= '0' then return end
  local count = redis.call('ZCARD', ids)
  if count == 0 or count ~= redis.call('ZCARD', expiries) then return end
  local placeEnd = int(tonumber(redis.call('ZRANGE', expiries, -1, -1, 'WITHSCORES')[2]) + ${SLACK})
  redis.call('SET', place, string.sub(held, 1, ${VERSION_LENGTH}) .. ':' .. placeEnd)
  for _, name in ipairs({ids, expiries, place}) do redis.call('PEXPIREAT', name, placeEnd) end
end
`

/** Caches that miss a change catch up by themselves; a user who may not publish can still write. */
const PUBLISH = `
local function publish(channel, message) redis.pcall('PUBLISH', channel, message) end
`

/** KEYS: record. Its version and value in one, or nil. */
export const GET = script(`return redis.call('GET', KEYS[1])`)

/**
 * KEYS: record, ids, expiries, place. ARGV: version and value in one; the version it must have, or ''; ttl: '' for
 * good, 'keep' or milliseconds; id; token and end of a place that has been prepared, or '' and '0'; whether that is
 * '1', the place that the owner had, or '0', a new one; channel; message.
 *
 * Returns `written` or `conflict` and the token of the owner's place, or, having done nothing, `place`, the token of
 * the owner's place or '', and the end that it should have.
 */
export const PUT = script(`
local record, ids, expiries, place = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local content, expected, ttl, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local token, tokenEnd, extends, channel, message = ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9]
${TIME}${PURGE}${SETTLE}${PUBLISH}
local current = redis.call('GETRANGE', record, 0, ${VERSION_LENGTH - 1})
local held = redis.call('GET', place)
local heldToken = held and string.sub(held, 1, ${VERSION_LENGTH}) or ''
if current ~= expected then return {'conflict', heldToken} end

local left = current == '' and -1 or redis.call('PTTL', record)
if current ~= '' and (ttl == 'keep' or (ttl == '' and left < 0)) then
  -- The index knows it already.
  if ttl == 'keep' then redis.call('SET', record, content, 'KEEPTTL') else redis.call('SET', record, content) end
  publish(channel, message)
  return {'written', heldToken}
end

local till = 0
if ttl ~= '' and ttl ~= 'keep' then till = now + tonumber(ttl) end
local function covers(placeEnd) return placeEnd == 0 or (till ~= 0 and till <= placeEnd) end
local heldEnd = held and tonumber(string.sub(held, ${VERSION_LENGTH + 2})) or 0
if not (held and covers(heldEnd)) then
  local usable = held and token == heldToken or (not held and token ~= '' and extends == '0')
  if not (usable and covers(tokenEnd)) then
    -- Twice as long as needed: a record whose time is renewed again and again finds its place good mostly.
    return {'place', heldToken, int(till == 0 and 0 or till + (till - now) + ${SLACK})}
  end
  heldToken, heldEnd = token, tokenEnd
  redis.call('SET', place, token .. ':' .. int(tokenEnd))
  if heldEnd ~= 0 then redis.call('PEXPIREAT', place, int(heldEnd)) end
end

if till == 0 then
  redis.call('SET', record, content)
  redis.call('ZREM', expiries, id)
else
  redis.call('SET', record, content, 'PX', ttl)
  redis.call('ZADD', expiries, int(till), id)
end
redis.call('ZADD', ids, 0, id)
purge(ids, expiries)
for _, index in ipairs({ids, expiries}) do
  if heldEnd == 0 then redis.call('PERSIST', index) else redis.call('PEXPIREAT', index, int(heldEnd)) end
end
settle(ids, expiries, place)
publish(channel, message)
return {'written', heldToken}
`)

/**
 * KEYS: record, ids, expiries, place. ARGV: the version it must have, or '' for any; id; channel; message.
 * Returns nothing, or the record and the token of the place that the owner has left, or ''.
 */
export const REMOVE = script(`
local record, ids, expiries, place = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local expected, id, channel, message = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
${TIME}${PURGE}${LEAVE}${SETTLE}${PUBLISH}
local content = redis.call('GET', record)
if not content or (expected ~= '' and string.sub(content, 1, ${VERSION_LENGTH}) ~= expected) then return {} end
redis.call('DEL', record)
redis.call('ZREM', ids, id)
redis.call('ZREM', expiries, id)
purge(ids, expiries)
settle(ids, expiries, place)
publish(channel, message)
return {content, leave(ids, place)}
`)

/** KEYS: ids, place. ARGV: where to begin (as ZRANGEBYLEX has it), how many. Returns the token of the place or '', and ids. */
export const IDS = script(`
local held = redis.call('GET', KEYS[2])
local found = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
table.insert(found, 1, held and string.sub(held, 1, ${VERSION_LENGTH}) or '')
return found
`)

/**
 * KEYS: ids, expiries, place, records. ARGV: the records' ids. Returns the token of the place that the owner has left
 * or '', and the records. Those that are not there leave the index.
 */
export const READ = script(`
local ids, expiries, place = KEYS[1], KEYS[2], KEYS[3]
${LEAVE}
local found = {''}
for index, id in ipairs(ARGV) do
  local content = redis.call('GET', KEYS[index + 3])
  found[index + 1] = content
  if not content then
    redis.call('ZREM', ids, id)
    redis.call('ZREM', expiries, id)
  end
end
found[1] = leave(ids, place)
return found
`)

/**
 * KEYS: owners, ends. ARGV: the owner with its token; until when, or '0' for good. A score in `ends` is that time, or,
 * for good, the time of entry below zero.
 */
export const ENTER = script(`
local owners, ends, member, till = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
${TIME}
redis.call('ZADD', owners, 0, member)
if till == 0 then
  redis.call('ZADD', ends, int(-now), member)
else
  local score = tonumber(redis.call('ZSCORE', ends, member) or '0')
  if score >= 0 and score < till then redis.call('ZADD', ends, int(till), member) end
end
for _, old in ipairs(redis.call('ZRANGEBYSCORE', ends, 0, int(now - ${SLACK}), 'LIMIT', 0, 20)) do
  redis.call('ZREM', owners, old)
  redis.call('ZREM', ends, old)
end
return ''
`)

/** KEYS: owners, ends. ARGV: the owner with a token that nobody has any more. */
export const EXIT = script(`
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return ''
`)

/** KEYS: owners, ends. ARGV: the owner with a token that it does not have, and perhaps is about to have. */
export const FORGET = script(`
${TIME}
local score = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or '0')
if (score < 0 and -score < now - ${ABANDONED}) or (score >= 0 and score < now - ${SLACK}) then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return ''
`)

/** KEYS: owners. ARGV: where to begin, how many. */
export const OWNERS = script(`return redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])`)

/** KEYS: lease. ARGV: token, milliseconds. */
export const LEASE = script(`
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 'held' end
return ''
`)

/** KEYS: lease. ARGV: token, milliseconds. */
export const RENEW = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return '' end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 'held'
`)

/** KEYS: lease. ARGV: token. */
export const RELEASE = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return ''
`)

/** Runs a script; sends its text where the server does not know it (any more). */
export async function runScript(
  driver: RedisDriver,
  { source, sha }: RedisScript,
  keys: readonly string[],
  args: readonly RedisArgument[],
  signal: AbortSignal,
): Promise<unknown> {
  try {
    return await driver.evaluate('evalsha', sha, keys, args, signal)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return driver.evaluate('eval', source, keys, args, signal)
  }
}

/** A text of an answer. */
export function text(reply: unknown): string {
  return bytes(reply).toString('utf8')
}

/** A text of an answer, as bytes. */
export function bytes(reply: unknown): Buffer {
  // A driver that has made text of it has perhaps harmed it.
  if (!Buffer.isBuffer(reply))
    throw new Error(`expected bytes, got ${typeof reply}; is the client of a version that is supported?`)
  return reply
}

/** An array of an answer. */
export function list(reply: unknown): unknown[] {
  if (!Array.isArray(reply)) throw new Error(`expected a list, got ${typeof reply}`)
  return reply
}

function script(source: string): RedisScript {
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}
