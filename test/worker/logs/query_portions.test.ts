// Portions of a listing: made when their reader takes them, whole characters each; and the turns that statements take.
import t from 'tap';
import { createCredits, sendPortions } from '../../../worker/logs/query_portions.ts';
import { createTurns } from '../../../worker/logs/turns.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const PORTION = 64 * 1024;
const idle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function* textsOf(texts: readonly string[], read: { count: number }): AsyncGenerator<string> {
  for (const text of texts) {
    read.count += 1;
    yield text;
  }
}

t.test('texts of any length come out whole, in portions of about 64 KiB, no character cut in two', async (t) => {
  const texts = ['a', '', '🙂'.repeat(100_000), 'b'.repeat(PORTION), `x${'🙂'.repeat(PORTION / 2)}`, 'end'];
  const credits = createCredits();
  credits.add(1000);
  const sent: string[] = [];
  await sendPortions(textsOf(texts, { count: 0 }), credits, new AbortController().signal, (portion) => sent.push(portion));
  t.equal(sent.join(''), texts.join(''));
  t.ok(sent.every((portion) => portion.length <= PORTION && portion.length > 0 && portion.isWellFormed()));
  t.equal(sent.filter((portion) => portion.length < PORTION - 1).length, 1, 'all full but the last');
});

t.test('nothing is read beyond what the reader has taken', async (t) => {
  const read = { count: 0 };
  const credits = createCredits();
  const sent: string[] = [];
  const done = sendPortions(textsOf(Array.from({ length: 10 }, () => 'x'.repeat(PORTION)), read), credits, new AbortController().signal, (portion) => sent.push(portion));
  await idle();
  t.match({ sent: sent.length, read: read.count }, { sent: 0, read: 0 });
  credits.add(2);
  await waitFor('two portions', () => sent.length === 2);
  await idle();
  t.match({ sent: sent.length, read: read.count }, { sent: 2, read: 2 });
  credits.add(100);
  await done;
  t.equal(sent.length, 10);
});

t.test('who waits for a credit ends when nobody reads any more', async (t) => {
  const left = new AbortController();
  const done = sendPortions(textsOf(['x'], { count: 0 }), createCredits(), left.signal, () => t.fail('nothing is sent'));
  await idle();
  left.abort(new Error('left'));
  await t.rejects(done, { message: 'left' });
});

t.test('works take turns in the order in which they came, so many at once', async (t) => {
  const turn = createTurns(2);
  const { signal } = new AbortController();
  const began: number[] = [];
  const ends: (() => void)[] = [];
  const works = Array.from({ length: 6 }, (_, number) =>
    turn(signal, () => {
      began.push(number);
      return new Promise<number>((resolve) => ends.push(() => resolve(number)));
    }),
  );
  await idle();
  t.strictSame(began, [0, 1]);
  for (let ended = 0; ended < works.length; ended += 1) {
    ends[ended]?.();
    t.equal(await works[ended], ended);
    await idle();
    await idle();
    t.strictSame(began, [0, 1, 2, 3, 4, 5].slice(0, Math.min(6, ended + 3)));
  }
});

t.test('a work that fails gives its place on, and one that nobody waits for does not begin', async (t) => {
  const turn = createTurns(1);
  const left = new AbortController();
  const failing = turn(new AbortController().signal, () => {
    throw new Error('broken');
  });
  const abandoned = turn(left.signal, () => t.fail('it began'));
  const last = turn(new AbortController().signal, () => 'last');
  left.abort(new Error('left'));
  await t.rejects(failing, { message: 'broken' });
  await t.rejects(abandoned, { message: 'left' });
  t.equal(await last, 'last');
});

t.test('between works that block the thread its messages are read', async (t) => {
  const turn = createTurns(1);
  const { signal } = new AbortController();
  let isRead = false;
  const first = turn(signal, () => void setImmediate(() => (isRead = true)));
  const second = turn(signal, () => isRead);
  await first;
  t.equal(await second, true);
});
