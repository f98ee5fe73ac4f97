// The tokens in Redis, shared by every machine: checked against a mirror in memory, changed by scripts that say so to all.
import { MAX_TOKENS, type StoredToken, type TokenStore } from '../tokens.ts';
import { inTime } from './in_time.ts';
import { askUnlessLate } from './late.ts';
import type { RedisLink } from './link.ts';
import type { Script } from './script.ts';
import { tokenText } from './tokens_form.ts';
import { TokenMirror } from './tokens_mirror.ts';
import { ADD, DELETE, USE } from './tokens_scripts.ts';

/** Of those that have expired so many are deleted in one go. */
const PORTION = 500;
/** Whoever comes with a token waits no longer, however long it takes to read all of them from a Redis that is slow. */
const FIND_MS = 900;

/**
 * @param onRevoked a token is gone, on whatever machine it was revoked, or Redis has lost it: gone is gone, as nobody could revoke it any more
 * @param onMade a token is there that was not: one that was gone may be back, with the data of Redis
 */
export function redisTokens(link: RedisLink, onRevoked: (id: string) => void, onMade: (id: string) => void = () => undefined): TokenStore {
  const names = ['tokens', 'token-version', 'token-changes', 'token-uses', 'token-last-used'];
  const keys = names.map((name) => link.key(name));
  const mirror = new TokenMirror(link, keys, { onRevoked, onMade });
  link.onBeat((isFirst) => {
    if (isFirst) mirror.distrust();
    return mirror.sync();
  });
  link.onMessage('tokens', () => void mirror.sync().catch(() => undefined));

  const change = (run: Script, args: readonly (string | number)[]): Promise<unknown> => askUnlessLate(link, run, names, args);
  /** It is done in Redis; here it holds before anything is said of it, or nobody is let in until it does. */
  const seen = (): Promise<void> => mirror.sync().catch(() => mirror.distrust());
  const findNow = async (id: string): Promise<StoredToken | null> => {
    await inTime(mirror.sync(), FIND_MS);
    return mirror.get(id);
  };

  return {
    get isUp() {
      return link.isUp;
    },
    find: (id) => (mirror.isFresh ? mirror.get(id) : findNow(id)),
    findNow,
    async add(token) {
      const added = await change(ADD, [MAX_TOKENS, token.id, tokenText(token)]);
      await seen();
      return added === 1;
    },
    async list() {
      await mirror.sync();
      const [uses, last] = await link.ask((redis) => Promise.all([redis.hgetall(keys[3] ?? ''), redis.hgetall(keys[4] ?? '')]));
      return mirror.all().map((token) => used(token, uses[token.id], last[token.id])).sort(byAge);
    },
    async delete(id) {
      const deleted = await change(DELETE, [id]);
      await seen();
      return deleted === 1;
    },
    async addUses(uses) {
      await change(USE, [...uses].flatMap(([id, { count, lastUsedAt }]) => [id, count, lastUsedAt]));
    },
    async deleteExpired(before) {
      await mirror.sync();
      const expired = mirror.all().filter(({ expiresAt }) => expiresAt !== null && expiresAt <= before).map(({ id }) => id);
      for (let at = 0; at < expired.length; at += PORTION) await change(DELETE, expired.slice(at, at + PORTION));
      if (expired.length > 0) await seen();
    },
  };
}

function used(token: StoredToken, useCount: string | undefined, lastUsedAt: string | undefined): StoredToken {
  return { ...token, useCount: Number(useCount ?? 0), lastUsedAt: lastUsedAt === undefined ? null : Number(lastUsedAt) };
}

function byAge(a: StoredToken, b: StoredToken): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}
