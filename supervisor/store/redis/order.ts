// The order within sessions that several machines share: one line for each session, in Redis.
import { AppError } from '../../../shared/errors.ts';
import { MAX_WAITING, type SessionOrder } from '../order.ts';
import { askUnlessLate, UNLESS_LATE } from './late.ts';
import type { RedisLink } from './link.ts';
import { orderedScript, script } from './script.ts';
import { RedisUnreachable } from './unreachable.ts';

/** A line that nobody has come to for so long is forgotten: no interaction lasts longer. */
const LINE_KEPT_MS = 2 * 86_400_000;
/** A server whose lease has run out is given so much time after somebody has noticed: after a pause of Redis itself all leases have run out. */
const SUSPECTED_MS = 2000;
const SUSPICION_KEPT_MS = 6000;
/** How often a line is looked at in which somebody waits here: a notice may have been lost, or the server in front of it. */
const LOOK_EVERY_MS = 1000;
/** A question that was not answered may be under way for so long, more than `deadline` allows: a place that is left before it is entered stays. */
const UNANSWERED_MS = 1500;
/** With one beat. */
const MOST_LOOKS = 200;
const MOST_LEAVES = 1000;

/**
 * Takes places of servers that are gone from the front of the line. `leases`, `suspects`: what their keys begin with. A place is `server ticket`.
 * Where memory is full nobody is suspected, and whoever waits goes on to wait.
 */
const PRUNE = `
  local function isGone(server)
    if redis.call('EXISTS', leases .. server) == 1 then return false end
    local since = redis.call('GET', suspects .. server)
    if since then return now - tonumber(since) >= ${SUSPECTED_MS} end
    redis.pcall('SET', suspects .. server, now, 'PX', ${SUSPICION_KEPT_MS})
    return false
  end
  local first = redis.call('LINDEX', KEYS[1], 0)
  while first and isGone(string.match(first, '^%S+')) do
    redis.call('LPOP', KEYS[1])
    first = redis.call('LINDEX', KEYS[1], 0)
  end
`;

/** KEYS: line, its owner, session. ARGV: deadline, leases, suspects, place, owner. @returns 'taken', 'busy', or how many come before it */
const ENTER = orderedScript(`${UNLESS_LATE}
  local leases, suspects = ARGV[2], ARGV[3]
  ${PRUNE}
  local owner = first and redis.call('GET', KEYS[2]) or redis.call('HGET', KEYS[3], 'owner')
  if owner and owner ~= ARGV[5] then return 'taken' end
  local before = redis.call('LLEN', KEYS[1])
  if before > ${MAX_WAITING} then return 'busy' end
  redis.call('RPUSH', KEYS[1], ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ${LINE_KEPT_MS})
  redis.call('SET', KEYS[2], ARGV[5], 'PX', ${LINE_KEPT_MS})
  return before
`);

/** KEYS: line, its owner. ARGV: place, what channels of turns begin with. Told to the one whose turn it is then. */
const LEAVE = script(`
  local wasFirst = redis.call('LINDEX', KEYS[1], 0) == ARGV[1]
  redis.call('LREM', KEYS[1], 1, ARGV[1])
  local first = redis.call('LINDEX', KEYS[1], 0)
  if not first then
    redis.call('DEL', KEYS[2])
  elseif wasFirst then
    redis.call('PUBLISH', ARGV[2] .. string.match(first, '^%S+'), first)
  end
  return 1
`);

/** KEYS: line. ARGV: deadline, leases, suspects. @returns all places */
const LOOK = script(`${UNLESS_LATE}
  local leases, suspects = ARGV[2], ARGV[3]
  ${PRUNE}
  return redis.call('LRANGE', KEYS[1], 0, -1)
`);

interface Waiting {
  /** Its turn has come. */
  comes(): void;
  /** Redis has forgotten it. */
  lost(): void;
}

interface Owed {
  readonly sessionId: string;
  /** Not to be told earlier; on the clock of `performance.now()`. */
  readonly from: number;
}

interface Line {
  readonly tickets: Set<string>;
  /** On the clock of `performance.now()`. */
  lookedAt: number;
}

/** Its `enter` rejects with AppError, RedisUnreachable, or with what Redis itself answers. */
export function redisOrder(link: RedisLink): SessionOrder {
  const waiting = new Map<string, Waiting>();
  const lines = new Map<string, Line>();
  /** Places that Redis has not been told of leaving: none but those of interactions that were live. */
  const owed = new Map<string, Owed>();
  const leases = link.key('server:');
  const suspects = link.key('suspect:');
  let entered = 0;

  const leave = async (ticket: string, sessionId: string): Promise<void> => {
    try {
      const keys = [link.key(`line:${sessionId}`), link.key(`line-owner:${sessionId}`)];
      await link.ask((redis) => LEAVE(redis, keys, [ticket, link.key('turns:')]));
      owed.delete(ticket);
    } catch {
      // It is owed until the next beat.
    }
  };
  const joinLine = (ticket: string, sessionId: string): void => {
    const line = lines.get(sessionId) ?? { tickets: new Set(), lookedAt: performance.now() };
    lines.set(sessionId, line);
    line.tickets.add(ticket);
  };
  const forget = (ticket: string, sessionId: string): void => {
    waiting.delete(ticket);
    const line = lines.get(sessionId);
    line?.tickets.delete(ticket);
    if (line?.tickets.size === 0) lines.delete(sessionId);
  };
  const look = async (sessionId: string, line: Line): Promise<void> => {
    // Only those that wait now: who comes while the question is under way may not be in the answer.
    const tickets = [...line.tickets];
    line.lookedAt = performance.now();
    const places = (await askUnlessLate(link, LOOK, [`line:${sessionId}`], [leases, suspects])) as string[];
    for (const ticket of tickets) {
      if (places[0] === ticket) waiting.get(ticket)?.comes();
      else if (!places.includes(ticket)) waiting.get(ticket)?.lost();
    }
  };

  link.onMessage(`turns:${link.server}`, (ticket) => waiting.get(ticket)?.comes());
  link.onBeat(async (isFirst) => {
    const now = performance.now();
    const due = [...lines].filter(([, { lookedAt }]) => isFirst || now - lookedAt >= LOOK_EVERY_MS);
    due.sort(([, a], [, b]) => a.lookedAt - b.lookedAt);
    const looks = due.slice(0, MOST_LOOKS).map(([sessionId, line]) => look(sessionId, line));
    const left = [...owed].filter(([, { from }]) => from <= now).slice(0, MOST_LEAVES);
    const leaves = left.map(([ticket, { sessionId }]) => leave(ticket, sessionId));
    await Promise.all([...looks, ...leaves]);
  });

  return {
    async enter(sessionId, owner) {
      // What is never asked is never to be left.
      if (!link.isUp) throw new RedisUnreachable(`Redis at ${link.address} is away`);
      const ticket = `${link.server} ${++entered}`;
      let state: 'waits' | 'turn' | 'lost' = 'waits';
      let told: { begin(): void; lost(): void } | null = null;
      // Before Redis is asked: that the turn has come may be known before the answer is.
      waiting.set(ticket, {
        comes() {
          forget(ticket, sessionId);
          state = 'turn';
          told?.begin();
        },
        lost() {
          forget(ticket, sessionId);
          state = 'lost';
          told?.lost();
        },
      });
      try {
        const keys = [`line:${sessionId}`, `line-owner:${sessionId}`, `session:${sessionId}`];
        const before = await askUnlessLate(link, ENTER, keys, [leases, suspects, ticket, owner]);
        if (before === 'taken') throw new AppError('SESSION_TAKEN');
        if (before === 'busy') throw new AppError('SESSION_BUSY');
        if (before === 0) waiting.get(ticket)?.comes();
        else if (waiting.has(ticket)) joinLine(ticket, sessionId);
      } catch (error) {
        waiting.delete(ticket);
        // Its answer may have been lost, and not the question. Where Redis itself refuses, nothing is entered.
        if (error instanceof RedisUnreachable) owed.set(ticket, { sessionId, from: performance.now() + UNANSWERED_MS });
        throw error;
      }
      let left = false;
      return {
        ticket,
        mustWait: state === 'waits',
        whenTurn(begin, lost) {
          told = { begin, lost };
          if (state === 'turn') begin();
          else if (state === 'lost') lost();
        },
        leave() {
          if (left) return;
          left = true;
          forget(ticket, sessionId);
          owed.set(ticket, { sessionId, from: 0 });
          void leave(ticket, sessionId);
        },
      };
    },
  };
}
