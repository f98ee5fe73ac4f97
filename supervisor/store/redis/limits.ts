// The limits in Redis, shared by every machine: requests are counted there on its own clock, what goes on by the server on which it does.
import type { LimitStore } from '../limits.ts';
import { askUnlessLate, UNLESS_LATE } from './late.ts';
import type { RedisLink } from './link.ts';
import { script } from './script.ts';
import { RedisUnreachable } from './unreachable.ts';

/** What a server wrote of one key counts for so long, unless it is written anew. */
const KEPT_MS = 60_000;
/** What has been written so long ago is written anew, as it may have been lost. */
const REWRITE_MS = 20_000;

/**
 * A sliding window as in limits_memory.ts: entries of `first last count`, in µs, in one text. A time ahead of the clock is from before that was set
 * back: it becomes now, or it would count for so much longer.
 * KEYS: the window. ARGV: deadline in ms, count, window in ms.
 * @returns nothing where it came too late, else whether it was taken (1 or 0), how many more would be, ms until one more is, ms until nothing counts
 */
const TAKE = script(`${UNLESS_LATE}
  now = time[1] * 1000000 + time[2]
  local most, window = tonumber(ARGV[2]), ARGV[3] * 1000
  local entries, total, changed = {}, 0, false
  for first, last, count in string.gmatch(redis.call('GET', KEYS[1]) or '', '(%d+) (%d+) (%d+)') do
    first, last, count = tonumber(first), tonumber(last), tonumber(count)
    if last > now then first, last, changed = math.min(first, now), now, true end
    if last + window > now then
      entries[#entries + 1] = { first, last, count }
      total = total + count
    end
  end
  local taken = total < most
  if taken then
    local newest = entries[#entries]
    if most > 64 and newest and now - newest[1] < window / 64 then
      newest[2], newest[3] = now, newest[3] + 1
    else
      entries[#entries + 1] = { now, now, 1 }
    end
    total = total + 1
  end
  if taken or changed then
    local text = {}
    for i, entry in ipairs(entries) do text[i] = string.format('%.0f %.0f %.0f', entry[1], entry[2], entry[3]) end
    redis.call('SET', KEYS[1], table.concat(text, ','), 'PX', ARGV[3])
  end
  local left, retry = total, 0
  for _, entry in ipairs(entries) do
    if left < most then break end
    left, retry = left - entry[3], entry[2] + window - now
  end
  local reset = #entries == 0 and 0 or entries[#entries][2] + window - now
  return { taken and 1 or 0, math.max(0, most - total), math.ceil(retry / 1000), math.ceil(reset / 1000) }
`);

/**
 * Writes how many go on here under a key, and lets in as many more as the limit has room for beside those of all servers that are alive.
 * KEYS: a hash of server → count.
 * ARGV: deadline in ms, what the keys of leases begin with, this server, its count, how many more want to begin, the limit, ms to keep the hash.
 * @returns nothing where it came too late, else how many more have begun
 */
const RUN = script(`${UNLESS_LATE}
  local mine, wanted, most = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
  local others = 0
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    if fields[i] ~= ARGV[3] then
      if redis.call('EXISTS', ARGV[2] .. fields[i]) == 1 then
        others = others + fields[i + 1]
      else
        redis.call('HDEL', KEYS[1], fields[i])
      end
    end
  end
  local begun = math.max(0, math.min(wanted, most - others - mine))
  if mine + begun > 0 then
    redis.call('HSET', KEYS[1], ARGV[3], mine + begun)
    redis.call('PEXPIRE', KEYS[1], ARGV[7])
  else
    redis.call('HDEL', KEYS[1], ARGV[3])
  end
  return begun
`);

/** KEYS: a hash of server → count. ARGV: what the keys of leases begin with, this server. @returns how many go on at the others that are alive */
const OTHERS = script(`
  local others = 0
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    if fields[i] ~= ARGV[2] and redis.call('EXISTS', ARGV[1] .. fields[i]) == 1 then others = others + fields[i + 1] end
  end
  return others
`);

interface Waiting {
  readonly most: number;
  settle(may: boolean): void;
  fail(error: unknown): void;
}

/** What goes on here under one key, and what Redis knows of it. */
interface Running {
  count: number;
  /** As Redis has it; null where that is not known. */
  written: number | null;
  /** On the clock of `performance.now()`. */
  writtenAt: number;
  isAsking: boolean;
  waiting: Waiting[];
}

/** Its methods throw, or reject with, RedisUnreachable, or with what Redis itself answers. */
export function redisLimits(link: RedisLink): LimitStore {
  /** The keys under which something goes on here, or whose end Redis has not been told yet. */
  const byKey = new Map<string, Running>();

  /** One question at a time for each key, with all that came since the last: what is written is in order, and none counts that was not let in. */
  const tell = async (key: string, running: Running): Promise<void> => {
    if (running.isAsking) return;
    running.isAsking = true;
    while (running.waiting.length > 0 || running.written !== running.count) {
      const { waiting, count } = running;
      running.waiting = [];
      try {
        const args = [link.key('server:'), link.server, count, waiting.length, waiting.at(-1)?.most ?? 0, KEPT_MS];
        const begun = (await askUnlessLate(link, RUN, [`running:${key}`], args)) as number;
        running.count += begun;
        running.written = count + begun;
        running.writtenAt = performance.now();
        waiting.forEach(({ settle }, i) => settle(i < begun));
      } catch (error) {
        // It may have been done all the same; the next beat says what holds.
        running.written = null;
        for (const { fail } of [...waiting, ...running.waiting.splice(0)]) fail(error);
        break;
      }
    }
    running.isAsking = false;
    if (running.count === 0 && running.written === 0) byKey.delete(key);
  };

  link.onBeat(async (isFirst) => {
    const now = performance.now();
    const told: Promise<void>[] = [];
    for (const [key, running] of byKey) {
      if (isFirst || now - running.writtenAt > REWRITE_MS) running.written = null;
      if (running.written !== running.count) told.push(tell(key, running));
    }
    await Promise.all(told);
  });

  return {
    async take(key, { count, windowMs }) {
      const told = (await askUnlessLate(link, TAKE, [`limit:${key}`], [count, windowMs])) as readonly number[];
      const [taken, remaining = 0, retryAfterMs = 0, resetMs = 0] = told;
      return { taken: taken === 1, remaining, retryAfterMs, resetMs };
    },
    async isFull(key, most) {
      const mine = (): number => byKey.get(key)?.count ?? 0;
      if (mine() >= most) return true;
      const others = await link.ask((redis) => OTHERS(redis, [link.key(`running:${key}`)], [link.key('server:'), link.server]));
      return Number(others) + mine() >= most;
    },
    begin(key, most) {
      // Keys of whoever asks in vain are not kept.
      if (!link.isUp) throw new RedisUnreachable(`Redis at ${link.address} is away`);
      const running = byKey.get(key) ?? { count: 0, written: 0, writtenAt: performance.now(), isAsking: false, waiting: [] };
      if (running.count >= most) return false;
      byKey.set(key, running);
      return new Promise((settle, fail) => {
        running.waiting.push({ most, settle, fail });
        void tell(key, running);
      });
    },
    end(key) {
      const running = byKey.get(key);
      if (running === undefined || running.count === 0) return;
      running.count -= 1;
      void tell(key, running);
    },
  };
}
