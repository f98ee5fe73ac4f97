// A machine as a Redis sees it: a link of its own, with the sessions and their order on it; and an eye on what Redis has.
import { Redis } from 'ioredis';
import { pino } from 'pino';
import type { Test } from 'tap';
import { Secret } from '../../shared/secret.ts';
import { RedisLink } from '../../supervisor/store/redis/link.ts';
import { redisOrder } from '../../supervisor/store/redis/order.ts';
import { redisSessions } from '../../supervisor/store/redis/sessions.ts';
import type { Place, SessionOrder } from '../../supervisor/store/order.ts';
import type { SessionStore } from '../../supervisor/store/session.ts';
import type { RedisServer } from './redis_server.ts';
import { waitFor } from './wait_for.ts';

const log = pino({ level: 'silent' });

export interface Machine {
  readonly link: RedisLink;
  readonly order: SessionOrder;
  readonly sessions: SessionStore;
}

/** @param changes what is found of the link instead of what is there */
export async function machineOn(t: Test, { url }: RedisServer, changes: (link: RedisLink) => Partial<RedisLink> = () => ({})): Promise<Machine> {
  const whole = new RedisLink({ url: new Secret(url), shown: 'redis' }, 'a', log);
  t.teardown(() => whole.close());
  const link = changed(whole, changes(whole));
  const machine = { link, order: redisOrder(link), sessions: redisSessions(link) };
  if (!(await whole.open())) await waitFor('Redis', () => whole.isUp);
  return machine;
}

/** A client beside the machines. */
export function observe(t: Test, { url }: Pick<RedisServer, 'url'>): Redis {
  const redis = new Redis(url);
  redis.on('error', () => undefined);
  t.teardown(() => redis.disconnect());
  return redis;
}

/** How many wait for a session, and run. */
export const lengthOf = (raw: Redis, session: string, agent = 'a'): Promise<number> => raw.llen(`oai:${agent}:line:${session}`);

/** Enters, and tells what becomes of the place by its name. */
export async function enter({ order }: Machine, session: string, name: string, told: string[], owner = 'me'): Promise<Place> {
  const place = await order.enter(session, owner, false);
  place.whenTurn(() => told.push(name), () => told.push(`${name} is lost`));
  return place;
}

/** The same link, but for what is given. */
function changed(link: RedisLink, changes: Partial<RedisLink>): RedisLink {
  const bound = (name: string | symbol): unknown => {
    const value: unknown = Reflect.get(link, name, link);
    return typeof value === 'function' ? value.bind(link) : value;
  };
  return new Proxy(link, { get: (_link, name) => (name in changes ? Reflect.get(changes, name) : bound(name)) });
}
