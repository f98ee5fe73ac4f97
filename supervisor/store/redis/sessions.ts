// The sessions in Redis: a hash for what is known of each, a list for its turns, both gone when they expire.
import { setTimeout as delay } from 'node:timers/promises';
import { checkTurn, MAX_SESSION_BYTES, MAX_SESSION_ITEMS, type SessionStore } from '../session.ts';
import { askUnlessLate, UNLESS_LATE } from './late.ts';
import { SILENCE_MS, type RedisLink } from './link.ts';
import { script } from './script.ts';
import { RedisUnreachable } from './unreachable.ts';

/** A turn that Redis cannot be told of at once is offered again for so long: its interaction has ended well but for that. */
const OFFERED_MS = 1000;
const OFFER_AGAIN_MS = 50;

/**
 * Only whoever is the first in line may append. A turn is kept as the number of its items, a space, its JSON. What is written first is refused first
 * where Redis's memory is full, so nothing is half done. A Redis that evicts keys may have lost one of the two: what is left of turns without their
 * session is nobody's, and what a session without its turns had does not count.
 * KEYS: session, turns, line. ARGV: deadline, place, now, owner, user, number of items, items, ttl, ttl of a first turn; times in ms.
 */
const APPEND = script(`${UNLESS_LATE}
  if redis.call('HGET', KEYS[1], 'last') == ARGV[2] then return 'stored' end
  if redis.call('LINDEX', KEYS[3], 0) ~= ARGV[2] then return 'passed' end
  local stored = redis.call('RPUSH', KEYS[2], ARGV[6] .. ' ' .. ARGV[7])
  local turns = redis.call('HINCRBY', KEYS[1], 'turns', 1)
  if turns == 1 and stored > 1 then redis.call('LTRIM', KEYS[2], -1, -1) end
  if stored == 1 then redis.call('HSET', KEYS[1], 'items', 0, 'bytes', 0) end
  local items = redis.call('HINCRBY', KEYS[1], 'items', ARGV[6])
  local bytes = redis.call('HINCRBY', KEYS[1], 'bytes', #ARGV[7])
  if turns == 1 then redis.call('HSET', KEYS[1], 'owner', ARGV[4], 'user', ARGV[5], 'created', ARGV[3]) end
  while items > ${MAX_SESSION_ITEMS} or bytes > ${MAX_SESSION_BYTES} do
    local oldest = redis.call('LPOP', KEYS[2])
    local count = string.match(oldest, '^%d+')
    items = items - count
    bytes = bytes - (#oldest - #count - 1)
  end
  redis.call('HSET', KEYS[1], 'items', items, 'bytes', bytes, 'updated', ARGV[3], 'last', ARGV[2])
  local ttl = turns == 1 and ARGV[9] or ARGV[8]
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
  return 'stored'
`);

/** KEYS: session, turns, line. ARGV: deadline, place. */
const DELETE = script(`${UNLESS_LATE}
  if redis.call('LINDEX', KEYS[3], 0) ~= ARGV[2] then return 'passed' end
  redis.call('DEL', KEYS[2])
  return redis.call('DEL', KEYS[1])
`);

/** KEYS: session, turns. ARGV: most items. @returns how many turns there were, then the newest of them, newest first */
const HISTORY = script(`
  local answer = { tonumber(redis.call('HGET', KEYS[1], 'turns') or 0) }
  if answer[1] == 0 then return answer end
  local left = tonumber(ARGV[1])
  for i = 1, ${MAX_SESSION_ITEMS} do
    local turn = redis.call('LINDEX', KEYS[2], -i)
    if not turn then break end
    local count = string.match(turn, '^%d+')
    left = left - count
    if left < 0 then break end
    answer[i + 1] = string.sub(turn, #count + 2)
  end
  return answer
`);

/** KEYS: session, turns. @returns nothing, or owner, user, created, updated, turns */
const READ = script(`
  local head = redis.call('HMGET', KEYS[1], 'owner', 'user', 'created', 'updated')
  if not head[1] then return false end
  head[5] = redis.call('LRANGE', KEYS[2], 0, -1)
  return head
`);

/** Its methods reject with RedisUnreachable, or with what Redis itself answers. */
export function redisSessions(link: RedisLink): SessionStore {
  const keysOf = (sessionId: string): string[] => [`session:${sessionId}`, `turns:${sessionId}`, `line:${sessionId}`];

  const read = (run: typeof READ, sessionId: string, args: readonly number[]): Promise<unknown> => {
    const keys = keysOf(sessionId).slice(0, 2).map((key) => link.key(key));
    return link.ask((redis) => run(redis, keys, args), SILENCE_MS);
  };

  return {
    async history(sessionId, maxItems) {
      const [turnCount, ...newest] = (await read(HISTORY, sessionId, [maxItems])) as [number, ...string[]];
      return { turnCount, turns: newest.reverse() };
    },
    async read(sessionId) {
      const session = (await read(READ, sessionId, [])) as [string, string, string, string, string[]] | null;
      if (session === null) return null;
      const [owner, userId, createdAt, updatedAt, turns] = session;
      const items = turns.map((turn) => turn.slice(turn.indexOf(' ') + 1));
      return { owner, userId, createdAt: Number(createdAt), updatedAt: Number(updatedAt), turns: items };
    },
    async append(turn, { ticket }) {
      checkTurn(turn);
      const { sessionId, now, owner, userId, itemCount, items, ttlMs, firstTtlMs } = turn;
      const args = [ticket, now, owner, userId, itemCount, items, ttlMs, firstTtlMs];
      const answer = await offer(() => askUnlessLate(link, APPEND, keysOf(sessionId), args));
      if (answer === 'passed') throw new Error('the turn of this place in the session is over');
    },
    async delete(sessionId, { ticket }) {
      const answer = await askUnlessLate(link, DELETE, keysOf(sessionId), [ticket]);
      if (answer === 'passed') throw new Error('the turn of this place in the session is over');
      return answer === 1;
    },
  };
}

/** It does no harm twice. */
async function offer(append: () => Promise<unknown>): Promise<unknown> {
  const until = performance.now() + OFFERED_MS;
  for (;;) {
    try {
      return await append();
    } catch (error) {
      if (!(error instanceof RedisUnreachable) || performance.now() + OFFER_AGAIN_MS >= until) throw error;
      await delay(OFFER_AGAIN_MS);
    }
  }
}
