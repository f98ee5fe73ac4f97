// What is answered under a token ends with it, at its expiry or when it is revoked, and nothing is remembered of what is over.
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import t, { type Test } from 'tap';
import { LiveTokens } from '../../../supervisor/access/live_tokens.ts';
import { waitFor } from '../../helpers/wait_for.ts';

class FakeResponse extends EventEmitter {
  destroyed = false;

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function open(t: Test): LiveTokens {
  const live = new LiveTokens();
  t.teardown(() => live.close());
  return live;
}

function follow(live: LiveTokens, id: string, expiresAt: number | null = null): FakeResponse {
  const response = new FakeResponse();
  live.follow({ id, expiresAt }, response as unknown as ServerResponse);
  return response;
}

t.test('a revoked token\'s answers are cut after a moment for last words, and nobody else\'s', async (t) => {
  const live = open(t);
  const [one, two, other] = [follow(live, 'a'), follow(live, 'a'), follow(live, 'b')];
  live.revoke('a');
  t.equal(live.endOf({ id: 'a', expiresAt: null }), 'The token was revoked.');
  t.equal(live.endOf({ id: 'b', expiresAt: null }), null);
  t.notOk(one.destroyed);
  await waitFor('the cut', () => one.destroyed && two.destroyed);
  t.notOk(other.destroyed);
  t.equal(live.size, 1);
});

t.test('so are those of one that expires meanwhile', async (t) => {
  const live = open(t);
  const expiresAt = Date.now() + 200;
  const [one, other] = [follow(live, 'a', expiresAt), follow(live, 'b', Date.now() + 3_600_000)];
  t.equal(live.endOf({ id: 'a', expiresAt }), null);
  await waitFor('the cut', () => one.destroyed);
  t.ok(Date.now() >= expiresAt + 550);
  t.equal(live.endOf({ id: 'a', expiresAt }), 'The token expired.');
  t.notOk(other.destroyed);
});

t.test('what was let in just before is cut, though it comes just after', async (t) => {
  const live = open(t);
  live.revoke('a');
  const late = follow(live, 'a');
  await waitFor('the cut', () => late.destroyed);
});

t.test('one that is back, as with the data of its store, is as it was', async (t) => {
  const live = open(t);
  live.revoke('a');
  live.restore('a');
  live.restore('new');
  t.equal(live.endOf({ id: 'a', expiresAt: null }), null);
});

t.test('nor is what is answered under it cut, or what comes while it is answered', async (t) => {
  const live = open(t);
  const before = follow(live, 'a');
  live.revoke('a');
  const other = follow(live, 'other');
  live.revoke('other');
  await new Promise((resolve) => setTimeout(resolve, 300));
  live.restore('a');
  const later = follow(live, 'a');
  await waitFor('the cut of another', () => other.destroyed);
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.notOk(before.destroyed || later.destroyed);
});

t.test('nothing is remembered of what has been answered, or has gone away', async (t) => {
  const live = open(t);
  const responses = Array.from({ length: 100 }, (_, i) => follow(live, `t${i % 10}`));
  t.equal(live.size, 10);
  for (const response of responses) response.emit('close');
  t.equal(live.size, 0);
  const gone = new FakeResponse();
  gone.destroyed = true;
  live.follow({ id: 'a', expiresAt: null }, gone as unknown as ServerResponse);
  t.equal(live.size, 0);
});

t.test('without a token nothing ends', async (t) => {
  t.equal(open(t).endOf(null), null);
});

t.test('of revoked ids the newest are remembered', async (t) => {
  const live = open(t);
  for (let i = 0; i <= 10_000; i += 1) live.revoke(`t${i}`);
  t.equal(live.endOf({ id: 't0', expiresAt: null }), null);
  t.not(live.endOf({ id: 't1', expiresAt: null }), null);
  t.not(live.endOf({ id: 't10000', expiresAt: null }), null);
});
