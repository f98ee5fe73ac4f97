import t from 'tap';
import { backoffMs, isRetriedError, isRetriedStatus, retryAfterMs } from '../../../../worker/chat/engine/retry.ts';

t.test('Retry-After is read in seconds and as a date, and retry-after-ms before both', async (t) => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  t.equal(retryAfterMs({ 'retry-after': '3' }, now), 3_000);
  t.equal(retryAfterMs({ 'retry-after': 'Thu, 01 Jan 2026 00:00:05 GMT' }, now), 5_000);
  t.equal(retryAfterMs({ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, now), 0);
  t.equal(retryAfterMs({ 'retry-after': '3', 'retry-after-ms': '20' }, now), 20);
  for (const value of [undefined, '', 'soon', '-1']) t.equal(retryAfterMs({ 'retry-after': value }, now), null, String(value));
});

t.test('the backoff doubles from half a second, with jitter, up to eight seconds', async (t) => {
  for (const [attempt, most] of [[1, 500], [2, 1_000], [3, 2_000], [9, 8_000]] as const) {
    const ms = backoffMs(attempt);
    t.ok(ms <= most && ms >= most * 0.75, `attempt ${attempt}: ${ms}`);
  }
});

t.test('only what may pass is tried again', async (t) => {
  t.same([400, 401, 404, 408, 409, 422, 429, 500, 599].filter(isRetriedStatus), [408, 409, 429, 500, 599]);
  t.ok(isRetriedError(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })));
  t.notOk(isRetriedError(Object.assign(new Error('x'), { code: 'CERT_HAS_EXPIRED' })));
  t.notOk(isRetriedError(new Error('x')));
});
