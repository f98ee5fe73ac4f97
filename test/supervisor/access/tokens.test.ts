// Tokens are made within what their minter has, checked on one way whatever is wrong with them, and counted without a write for each use.
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { ADMIN, callerOf, LOCAL, requireScope, type Caller } from '../../../supervisor/access/caller.ts';
import { impliedScopes, SCOPES, type Scope } from '../../../supervisor/access/scopes.ts';
import { digestOf, makeToken } from '../../../supervisor/access/token_form.ts';
import type { TokenRequest } from '../../../supervisor/access/token_request.ts';
import { Tokens } from '../../../supervisor/access/tokens.ts';
import { openEmbeddedStore } from '../../../supervisor/store/embedded.ts';
import type { StoredToken, TokenStore, TokenUse } from '../../../supervisor/store/tokens.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const ADMIN_TOKEN = 'the admin token of this test';
const CHAT: TokenRequest = { scopes: ['chat'], userId: 'alice', name: null, ttlMs: null };
const WRONG_SECRET = (token: string): string => token.slice(0, -1) + (token.endsWith('a') ? 'b' : 'a');

/** @param change what the store does otherwise than the embedded one */
async function open(t: Test, change: (store: TokenStore) => Partial<TokenStore> = () => ({})) {
  const embedded = openEmbeddedStore(join(await makeFolder(t), 'state.db'));
  const revoked: string[] = [];
  const store: TokenStore = { ...embedded.tokens, ...change(embedded.tokens) };
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const tokenEnd = (token: { readonly id: string } | null): string | null => (token !== null && revoked.includes(token.id) ? 'It was revoked.' : null);
  const tokens = new Tokens({ store, adminDigest: digestOf(ADMIN_TOKEN), log, tokenEnd, onRevoked: (id) => void revoked.push(id) });
  t.teardown(async () => {
    await tokens.close();
    embedded.close();
  });
  return { tokens, store: embedded.tokens, revoked, lines };
}

t.test('a token is its user\'s, or its own; the parts before the colon keep both apart from everybody else', async (t) => {
  const { tokens } = await open(t);
  const ids: string[] = [];
  for (const userId of ['alice', 'anonymous', 'admin', 'token:x', 'user:alice', null]) {
    const { token, stored } = await tokens.create({ ...CHAT, userId }, ADMIN);
    const caller = await tokens.check(token);
    t.match(caller, { userId, token: { id: stored.id, expiresAt: null }, id: userId === null ? `token:${stored.id}` : `user:${userId}` });
    ids.push(caller?.id ?? '');
  }
  t.equal(new Set([...ids, LOCAL.id, ADMIN.id]).size, ids.length + 2);
  const again = await tokens.create(CHAT, ADMIN);
  t.equal((await tokens.check(again.token))?.id, 'user:alice', 'tokens of one user are one caller');
});

t.test('a line of the log says that a token was made, by whom, and until when it is valid', async (t) => {
  const { tokens, lines } = await open(t);
  const { stored } = await tokens.create({ ...CHAT, ttlMs: 60_000 }, ADMIN);
  await tokens.create(CHAT, ADMIN);
  const told = lines.map((line) => JSON.parse(line) as unknown);
  const until = new Date(stored.expiresAt ?? 0).toISOString();
  t.match(told, [{ token_id: stored.id, by: 'admin', expires_at: until, msg: 'token made' }, { expires_at: null }]);
});

t.test('only the digest of a token is kept', async (t) => {
  const { tokens, store } = await open(t);
  const { token, stored } = await tokens.create({ ...CHAT, name: 'n' }, ADMIN);
  const kept = await store.find(stored.id);
  t.strictSame(kept, stored);
  t.strictSame(kept?.digest, digestOf(token));
  t.notMatch(JSON.stringify(kept), token.split('_')[2] ?? '');
});

t.test('admin implies everything, logs:all implies logs, and nothing else implies anything', async (t) => {
  const implied: Readonly<Record<Scope, readonly Scope[]>> = {
    chat: ['chat'], agent: ['agent'], logs: ['logs'], 'logs:all': ['logs', 'logs:all'], admin: SCOPES,
  };
  for (const scope of SCOPES) {
    const times = { createdAt: 0, expiresAt: null, lastUsedAt: null };
    const caller = callerOf({ id: 'i', digest: new Uint8Array(), name: null, userId: null, scopes: [scope], ...times, useCount: 0 });
    t.strictSame(SCOPES.filter((each) => caller.scopes.has(each)), implied[scope], scope);
    for (const needed of SCOPES) {
      const message = `The token lacks the scope ${needed}, which this route asks for.`;
      if (implied[scope].includes(needed)) t.doesNotThrow(() => requireScope(caller, needed));
      else t.throws(() => requireScope(caller, needed), { code: 'FORBIDDEN', message });
    }
  }
  t.throws(
    () => requireScope(LOCAL, 'admin'),
    { code: 'FORBIDDEN', message: /send the admin token, which is OAI_ADMIN_TOKEN or in the file admin-token of the data directory\.$/ },
  );
});

t.test('a minter grants no scope that it lacks', async (t) => {
  const { tokens } = await open(t);
  for (const own of SCOPES) {
    const minter: Caller = { ...ADMIN, scopes: impliedScopes([own]) };
    for (const granted of SCOPES) {
      const made = tokens.create({ ...CHAT, scopes: [granted] }, minter);
      if (minter.scopes.has(granted)) await t.resolves(made, `${own} grants ${granted}`);
      else await t.rejects(made, { code: 'FORBIDDEN', message: `Nobody grants a scope without having it: ${granted}.` });
    }
  }
  const minter: Caller = { ...ADMIN, scopes: new Set<Scope>(['chat']) };
  await t.rejects(
    tokens.create({ ...CHAT, scopes: ['chat', 'logs:all', 'admin'] }, minter),
    { message: 'Nobody grants a scope without having it: logs:all, admin.' },
  );
});

t.test('unknown, wrong, revoked, expired and malformed are nobody', async (t) => {
  const { tokens } = await open(t);
  const valid = await tokens.create(CHAT, ADMIN);
  const revoked = await tokens.create(CHAT, ADMIN);
  const expired = await tokens.create({ ...CHAT, ttlMs: 1 }, ADMIN);
  await tokens.revoke(revoked.stored.id, ADMIN);
  await waitFor('it to expire', () => Date.now() > (expired.stored.expiresAt ?? 0));
  for (const credential of [
    makeToken().token, WRONG_SECRET(valid.token), revoked.token, expired.token, '', 'x', valid.stored.id, valid.token.toLowerCase(),
    `${ADMIN_TOKEN}x`, ADMIN_TOKEN.slice(1),
  ]) t.equal(await tokens.check(credential), null, credential);
  t.not(await tokens.check(valid.token), null);
});

t.test('the digest decides, not the id: a token of another one is nobody', async (t) => {
  const { tokens } = await open(t);
  const [a, b] = [await tokens.create(CHAT, ADMIN), await tokens.create(CHAT, ADMIN)];
  t.equal(await tokens.check(`oas_${a.stored.id}_${b.token.split('_')[2]}`), null);
});

t.test('each of these that is written as a token asks the store once, and what is not, never', async (t) => {
  const asked: string[] = [];
  const { tokens } = await open(t, (store) => ({ find: (id) => (asked.push(id), store.find(id)) }));
  const { token, stored } = await tokens.create(CHAT, ADMIN);
  const unknown = makeToken();
  for (const credential of [token, WRONG_SECRET(token), unknown.token, 'x', '', ADMIN_TOKEN]) await tokens.check(credential);
  t.strictSame(asked, [stored.id, stored.id, unknown.id]);
});

t.test('a token expires to the moment', async (t) => {
  const { tokens, store } = await open(t);
  const { token, stored } = await tokens.create({ ...CHAT, ttlMs: 60_000 }, ADMIN);
  t.equal(stored.expiresAt, stored.createdAt + 60_000);
  t.not(await tokens.check(token), null);
  const past = { ...stored, id: makeToken().id };
  const made = makeToken();
  await store.add({ ...past, id: made.id, digest: digestOf(made.token), expiresAt: Date.now() });
  t.equal(await tokens.check(made.token), null);
});

t.test('revoking tells what is to end, once; an unknown one is not found', async (t) => {
  const { tokens, revoked } = await open(t);
  const { stored } = await tokens.create(CHAT, ADMIN);
  await tokens.revoke(stored.id, ADMIN);
  await t.rejects(tokens.revoke(stored.id, ADMIN), { code: 'TOKEN_NOT_FOUND' });
  await t.rejects(tokens.revoke('nobody', ADMIN), { code: 'TOKEN_NOT_FOUND' });
  t.strictSame(revoked, [stored.id]);
});

t.test('a token that has ended meanwhile makes none and revokes none, however late that is noticed', async (t) => {
  let places = 0;
  const { tokens, store, revoked } = await open(t, (own) => ({
    add: (token) => places > 0 && own.add(token),
    deleteExpired() {
      places += 1;
      revoked.push('minter');
    },
  }));
  const minter: Caller = { ...ADMIN, token: { id: 'minter', expiresAt: null } };
  const unauthorized = { code: 'UNAUTHORIZED', details: { headers: { 'WWW-Authenticate': 'Bearer' } } };
  await t.rejects(tokens.create(CHAT, minter), unauthorized, 'between two questions to the store');
  await t.rejects(tokens.create(CHAT, minter), unauthorized);
  t.throws(() => tokens.recheck(minter), unauthorized);
  await tokens.create(CHAT, ADMIN);
  const [kept] = await store.list();
  await t.rejects(tokens.revoke(kept?.id ?? '', minter), unauthorized);
  t.strictSame([(await store.list()).length, revoked], [1, ['minter']]);
});

t.test('uses are counted in memory, written together, and kept for the next time where they cannot be', async (t) => {
  const written: ReadonlyMap<string, TokenUse>[] = [];
  let broken = true;
  const { tokens } = await open(t, (store) => ({
    addUses(uses) {
      if (broken) throw new Error('disk full');
      written.push(uses);
      return store.addUses(uses);
    },
  }));
  const [a, b] = [await tokens.create(CHAT, ADMIN), await tokens.create(CHAT, ADMIN)];
  for (let i = 0; i < 3; i += 1) await tokens.check(a.token);
  await tokens.check(WRONG_SECRET(b.token));
  t.match(await tokens.list(), [{ useCount: 0, lastUsedAt: null }, { useCount: 0, lastUsedAt: null }]);
  broken = false;
  await tokens.check(a.token);
  const before = Date.now();
  await tokens.check(b.token);
  const [first, second] = await tokens.list();
  t.match([first, second], [{ id: a.stored.id, useCount: 4 }, { id: b.stored.id, useCount: 1 }]);
  t.ok((second?.lastUsedAt ?? 0) >= before);
  t.strictSame(written.map(({ size }) => size), [2]);
  await tokens.list();
  t.equal(written.length, 1, 'nothing new, nothing written');
});

t.test('many uses are written in portions, and at a close all at once', async (t) => {
  const sizes: number[] = [];
  const { tokens, store } = await open(t, (own) => ({
    addUses(uses) {
      sizes.push(uses.size);
      return own.addUses(uses);
    },
  }));
  const made = await Promise.all(Array.from({ length: 1200 }, () => tokens.create(CHAT, ADMIN)));
  for (const { token } of made) tokens.check(token);
  const [listed] = await Promise.all([tokens.list(), new Promise(setImmediate).then(() => made.forEach(({ token }) => tokens.check(token)))]);
  t.ok(listed.every(({ useCount }) => useCount >= 1));
  t.ok(sizes.length === 3 && sizes.every((size) => size <= 500), sizes.join());
  await tokens.close();
  t.equal(sizes.length, 4);
  t.ok((await store.list()).every(({ useCount }) => useCount === 2));
});

t.test('those that have expired are not in the way of new ones, but others are', async (t) => {
  let places = 0;
  const { tokens } = await open(t, (store) => ({
    add: (token) => places > 0 && store.add(token),
    deleteExpired(before) {
      t.ok(before <= Date.now());
      places += 1;
    },
  }));
  await t.resolves(tokens.create(CHAT, ADMIN));
  const full = await open(t, () => ({ add: () => false }));
  await t.rejects(full.tokens.create(CHAT, ADMIN), { code: 'TOO_MANY_TOKENS' });
});

t.test('a store that cannot be reached lets nobody in but the admin', async (t) => {
  const fails = (): never => {
    throw new Error('ECONNREFUSED redis:6379');
  };
  const rejects = (): Promise<never> => Promise.reject(new Error('ECONNREFUSED redis:6379'));
  for (const fail of [fails, rejects]) {
    const { tokens } = await open(t, () => ({ isUp: false, find: fail, add: fail, list: fail, delete: fail }));
    const unavailable = { code: 'STORE_UNAVAILABLE', message: 'The store of tokens cannot be reached.' };
    await t.rejects(async () => tokens.check(makeToken().token), unavailable);
    await t.rejects(tokens.create(CHAT, ADMIN), unavailable);
    await t.rejects(tokens.list(), unavailable);
    await t.rejects(tokens.revoke('a', ADMIN), unavailable);
    t.equal(await tokens.check(ADMIN_TOKEN), ADMIN);
    t.equal(await tokens.check('nonsense'), null);
    t.equal(tokens.isUp, false);
  }
});

t.test('a store that answers later is waited for', async (t) => {
  const { tokens } = await open(t, (store) => ({
    find: async (id) => store.find(id),
    add: async (token) => store.add(token),
    delete: async (id) => store.delete(id),
  }));
  const { token, stored } = await tokens.create(CHAT, ADMIN);
  t.match(await tokens.check(token), { id: 'user:alice' });
  t.equal(await tokens.check(WRONG_SECRET(token)), null);
  await tokens.revoke(stored.id, ADMIN);
  t.equal(await tokens.check(token), null);
});

t.test('what fails is looked up anew where a store can know better, whatever it fails by; what is valid is not', async (t) => {
  const anew: string[] = [];
  const elsewhere = new Map<string, StoredToken>();
  const { tokens } = await open(t, (store) => ({
    findNow: async (id) => (anew.push(id), elsewhere.get(id) ?? store.find(id)),
  }));
  const [valid, revoked] = [await tokens.create(CHAT, ADMIN), await tokens.create(CHAT, ADMIN)];
  const expired = await tokens.create({ ...CHAT, ttlMs: 1 }, ADMIN);
  await tokens.revoke(revoked.stored.id, ADMIN);
  await waitFor('it to expire', () => Date.now() > (expired.stored.expiresAt ?? 0));
  t.match(tokens.check(valid.token), { id: 'user:alice' });
  t.equal(tokens.check('x'), null);
  t.strictSame(anew, []);
  for (const token of [makeToken().token, WRONG_SECRET(valid.token), revoked.token, expired.token]) {
    t.equal(await tokens.check(token), null);
    t.equal(anew.splice(0).length, 1, token);
  }
  const made = makeToken();
  elsewhere.set(made.id, { ...valid.stored, id: made.id, digest: digestOf(made.token) });
  t.match(await tokens.check(made.token), { id: 'user:alice' }, 'another machine has just made it');
});

t.test('a store that cannot tell anew lets nobody in', async (t) => {
  const { tokens } = await open(t, () => ({ findNow: () => Promise.reject(new Error('ECONNREFUSED redis:6379')) }));
  await t.rejects(async () => tokens.check(makeToken().token), { code: 'STORE_UNAVAILABLE', message: 'The store of tokens cannot be reached.' });
});
