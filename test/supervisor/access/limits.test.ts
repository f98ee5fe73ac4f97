// Limits as a request meets them: whose they are, what it is told, and what it is told where the store cannot be reached.
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { ADMIN, ANYBODY, callerOf, LOCAL } from '../../../supervisor/access/caller.ts';
import { limitKeyOf, Limits, type End } from '../../../supervisor/access/limits.ts';
import type { LimitStore, RateState } from '../../../supervisor/store/limits.ts';
import { memoryLimits } from '../../../supervisor/store/limits_memory.ts';

const MINUTE = 60_000;

function recording(): { readonly response: ServerResponse; readonly fields: Record<string, string> } {
  const fields: Record<string, string> = {};
  const setHeader = (name: string, value: string): void => void (fields[name] = value);
  return { response: Object.assign(new EventEmitter(), { setHeader }) as unknown as ServerResponse, fields };
}

/** The same answers, later. */
const later = (store: LimitStore): LimitStore => ({
  take: async (key, limit) => store.take(key, limit),
  isFull: async (key, most) => store.isFull(key, most),
  begin: async (key, most) => store.begin(key, most),
  end: (key) => store.end(key),
});
const saying = (state: RateState): LimitStore => ({ ...memoryLimits(), take: () => state });

t.test('the limits are the token\'s, the admin token\'s, or those of the address', async (t) => {
  const token = { id: 'abc', digest: new Uint8Array(), name: null, scopes: [], createdAt: 0, expiresAt: null, lastUsedAt: null, useCount: 0 };
  t.equal(limitKeyOf(callerOf({ ...token, userId: 'ada' }), '1.2.3.4'), 'abc', 'each token of a user has its own');
  t.equal(limitKeyOf(callerOf({ ...token, userId: null }), '1.2.3.4'), 'abc');
  t.equal(limitKeyOf(ADMIN, '1.2.3.4'), 'admin');
  for (const caller of [LOCAL, ANYBODY]) t.equal(limitKeyOf(caller, '1.2.3.4'), 'address:1.2.3.4');
  t.equal(limitKeyOf(LOCAL, '2001:db8:1:2:3:4:5:6'), 'address:2001:db8:1:2::');
});

t.test('each request is told how its limit stands, and beyond it when to come back', async (t) => {
  const limits = new Limits({ chatRateLimit: { count: 2, windowMs: MINUTE }, maxConcurrentPerToken: null }, memoryLimits());
  for (const remaining of ['1', '0']) {
    const { response, fields } = recording();
    t.equal(limits.rate('a', response), undefined, 'at once');
    t.strictSame(fields, { 'RateLimit-Limit': '2', 'RateLimit-Remaining': remaining, 'RateLimit-Reset': '60' });
  }
  const { response, fields } = recording();
  const refused = { code: 'RATE_LIMITED', status: 429, message: 'Too many requests; wait before the next one.', details: { retryAfterS: 60 } };
  t.throws(() => limits.rate('a', response), refused);
  t.strictSame(fields, { 'RateLimit-Limit': '2', 'RateLimit-Remaining': '0', 'RateLimit-Reset': '60' });
  limits.rate('b', recording().response);
});

t.test('seconds are rounded up, and Reset is never later than Retry-After', async (t) => {
  const chatRateLimit = { count: 5, windowMs: MINUTE };
  for (const [state, reset, retry] of [
    [{ taken: true, remaining: 1, retryAfterMs: 0, resetMs: 59_001 }, '60', null],
    [{ taken: true, remaining: 0, retryAfterMs: 12_000.5, resetMs: 60_000 }, '13', null],
    [{ taken: false, remaining: 0, retryAfterMs: 12_000.5, resetMs: 48_000 }, '13', 13],
    [{ taken: false, remaining: 0, retryAfterMs: 0.2, resetMs: 48_000 }, '1', 1],
  ] as const) {
    const { response, fields } = recording();
    const rate = (): unknown => new Limits({ chatRateLimit, maxConcurrentPerToken: null }, saying(state)).rate('a', response);
    if (retry === null) t.equal(rate(), undefined);
    else t.throws(rate, { code: 'RATE_LIMITED', details: { retryAfterS: retry } });
    t.equal(fields['RateLimit-Reset'], reset);
  }
});

t.test('so many interactions go on at once, and one more is told to wait', async (t) => {
  const limits = new Limits({ chatRateLimit: null, maxConcurrentPerToken: 2 }, memoryLimits());
  const refused = { code: 'RATE_LIMITED', message: /^No more than 2 interactions of one caller go on at once/, details: { retryAfterS: 1 } };
  const [end] = [limits.begin('a') as End, limits.begin('a')];
  t.throws(() => limits.begin('a'), refused);
  limits.begin('b');
  end();
  limits.begin('a');
  t.throws(() => limits.begin('a'), refused);
});

t.test('while so many go on, one more is refused before it is to begin, and is counted as a request all the same', async (t) => {
  const config = { chatRateLimit: { count: 3, windowMs: MINUTE }, maxConcurrentPerToken: 1 };
  const refused = { code: 'RATE_LIMITED', message: /^No more than 1 interactions/, details: { retryAfterS: 1 } };
  for (const store of [memoryLimits(), later(memoryLimits())]) {
    const limits = new Limits(config, store);
    const rate = async (fields = recording()): Promise<unknown> => (await limits.rate('a', fields.response), fields.fields['RateLimit-Remaining']);
    t.equal(await rate(), '2');
    const end = await limits.begin('a');
    const fields = recording();
    await t.rejects(rate(fields), refused);
    t.equal(fields.fields['RateLimit-Remaining'], '1');
    await limits.rate('b', recording().response);
    end();
    t.equal(await rate(), '0', 'a look takes no place');
    await t.rejects(rate(), { code: 'RATE_LIMITED', message: /^Too many requests/ });
  }
});

t.test('what was begun before a reload has set the limit takes no place, and gives none back', async (t) => {
  const config: { chatRateLimit: null; maxConcurrentPerToken: number | null } = { chatRateLimit: null, maxConcurrentPerToken: null };
  const limits = new Limits(config, memoryLimits());
  const [before, another] = [limits.begin('a') as End, limits.begin('a') as End];
  config.maxConcurrentPerToken = 1;
  const counted = limits.begin('a') as End;
  before();
  t.throws(() => limits.begin('a'), { code: 'RATE_LIMITED' });
  config.maxConcurrentPerToken = null;
  counted();
  config.maxConcurrentPerToken = 1;
  limits.begin('a');
  another();
  t.throws(() => limits.begin('a'), { code: 'RATE_LIMITED' }, 'what has ended while there was no limit has given back its place, and no other');
});

t.test('what is not limited asks no store, and is told nothing', async (t) => {
  const fail = (): never => {
    throw new Error('asked');
  };
  const limits = new Limits({ chatRateLimit: null, maxConcurrentPerToken: null }, { take: fail, isFull: fail, begin: fail, end: fail });
  const { response, fields } = recording();
  t.equal(limits.rate('a', response), undefined);
  (limits.begin('a') as End)();
  t.strictSame(fields, {});
});

t.test('it is the same with a store that answers later', async (t) => {
  const limits = new Limits({ chatRateLimit: { count: 1, windowMs: MINUTE }, maxConcurrentPerToken: 1 }, later(memoryLimits()));
  await limits.rate('a', recording().response);
  const { response, fields } = recording();
  await t.rejects(async () => limits.rate('a', response), { code: 'RATE_LIMITED', details: { retryAfterS: 60 } });
  t.strictSame(fields, { 'RateLimit-Limit': '1', 'RateLimit-Remaining': '0', 'RateLimit-Reset': '60' });
  const end = await limits.begin('a');
  await t.rejects(async () => limits.begin('a'), { code: 'RATE_LIMITED', details: { retryAfterS: 1 } });
  end();
  await limits.begin('a');
});

t.test('where the store cannot be reached nobody is let in, and nothing of the reason is told', async (t) => {
  const away = new Error('connect ECONNREFUSED 10.0.0.1:6379');
  const fail = (): never => {
    throw away;
  };
  const reject = (): Promise<never> => Promise.reject(away);
  const end = (): void => undefined;
  for (const store of [{ take: fail, isFull: fail, begin: fail, end }, { take: reject, isFull: reject, begin: reject, end }]) {
    const limits = new Limits({ chatRateLimit: { count: 1, windowMs: MINUTE }, maxConcurrentPerToken: 1 }, store);
    const { response, fields } = recording();
    const unavailable = { code: 'STORE_UNAVAILABLE', status: 503, message: 'The store of limits cannot be reached.', cause: away };
    await t.rejects(async () => limits.rate('a', response), unavailable);
    await t.rejects(async () => limits.begin('a'), unavailable);
    t.strictSame(fields, {});
  }
});
