import t from 'tap';
import { Backoff } from '../../../../../worker/chat/engine/mcp/backoff.ts';

const LONGEST = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];

t.test('each wait is up to twice the one before, within half a minute', async (t) => {
  const backoff = new Backoff();
  for (const longest of LONGEST) {
    const delayMs = backoff.next();
    t.ok(delayMs >= longest / 2 && delayMs <= longest, `${delayMs} of ${longest}`);
  }
});

t.test('a connection that lived for a while begins it anew, one that did not goes on', async (t) => {
  const backoff = new Backoff();
  for (const _ of LONGEST) backoff.next();
  backoff.lost(9_000);
  t.ok(backoff.next() >= 15_000);
  backoff.lost(11_000);
  t.ok(backoff.next() <= 500);
});
