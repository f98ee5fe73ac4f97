// What Redis is asked about tokens, each a script of its own.
import { UNLESS_LATE } from './late.ts';
import { script } from './script.ts';

/** Changes that are told one by one; whoever has missed more reads all tokens anew. */
export const LOGGED_CHANGES = 1000;

/**
 * Versions count up from the time at which the first was made, in µs: none comes twice, even where Redis has lost it. Called after a change only: a script
 * that has written is refused nothing any more by a Redis whose memory is full, and so a deletion succeeds there, and is logged.
 */
const CHANGED = `
  local function changed(id)
    if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SET', KEYS[2], time[1] .. string.format('%06d', time[2])) end
    redis.call('ZADD', KEYS[3], redis.call('INCR', KEYS[2]), id)
    redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - ${LOGGED_CHANGES})
    redis.pcall('PUBLISH', KEYS[1], id)
  end
`;

/**
 * KEYS of all: the tokens, which is the channel's name too, their version, its log, their uses, when these were last.
 * ARGV: deadline, most tokens, id, its text. @returns nothing where it came too late, else 1, or 0 where there are too many
 */
export const ADD = script(`${UNLESS_LATE} ${CHANGED}
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
  changed(ARGV[3])
  return 1
`);

/** ARGV: deadline, ids. @returns nothing where it came too late, else how many of them there were */
export const DELETE = script(`${UNLESS_LATE} ${CHANGED}
  local deleted = 0
  for i = 2, #ARGV do
    if redis.call('HDEL', KEYS[1], ARGV[i]) == 1 then
      deleted = deleted + 1
      changed(ARGV[i])
    end
    redis.call('HDEL', KEYS[4], ARGV[i])
    redis.call('HDEL', KEYS[5], ARGV[i])
  end
  return deleted
`);

/** ARGV: deadline, and of each token its id, uses, time of the last. @returns nothing where it came too late, else 1 */
export const USE = script(`${UNLESS_LATE}
  for i = 2, #ARGV, 3 do
    local id, last = ARGV[i], ARGV[i + 2]
    if redis.call('HEXISTS', KEYS[1], id) == 1 then
      redis.call('HINCRBY', KEYS[4], id, ARGV[i + 1])
      if tonumber(redis.call('HGET', KEYS[5], id) or 0) < tonumber(last) then redis.call('HSET', KEYS[5], id, last) end
    end
  end
  return 1
`);

/**
 * ARGV: the version that is known.
 * @returns version, number of tokens and, where the log goes back to what is known, the ids that have changed since and their texts (nothing for those
 * that are gone)
 */
export const CHANGES = script(`
  local version, known = redis.call('GET', KEYS[2]) or '0', ARGV[1]
  local size = redis.call('HLEN', KEYS[1])
  if version == known then return { version, size, {}, {} } end
  local oldest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')[2]
  if not oldest or tonumber(version) < tonumber(known) or tonumber(oldest) > known + 1 then return { version, size } end
  local ids = redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. known, '+inf')
  if #ids == 0 then return { version, size } end
  return { version, size, ids, redis.call('HMGET', KEYS[1], unpack(ids)) }
`);
