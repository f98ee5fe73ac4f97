// The story of something that was thrown, which never throws itself.
import t from 'tap';
import { reasonOf } from '../../../worker/chat/reason.ts';

t.test('an error is told with its stack and its causes, any other value as it is', async (t) => {
  const story = reasonOf(new Error('outer', { cause: new TypeError('inner', { cause: 'text' }) }));
  t.match(story, /^Error: outer\n {4}at [\s\S]*\ncaused by TypeError: inner\n[\s\S]*\ncaused by thrown: 'text'$/);
  t.equal(reasonOf(undefined), 'thrown: undefined');
  t.match(reasonOf(Object.create(null)), /^thrown: \[Object: null prototype\]/);
});

t.test('it has an end: an error that is its own cause, and one without measure', async (t) => {
  const circular = new Error('round');
  circular.cause = circular;
  t.equal(reasonOf(circular).match(/Error: round/g)?.length, 6);
  t.equal(reasonOf(new Error('x'.repeat(100_000))).length, 16 * 1024);
});

t.test('what throws while it is looked at is told as such', async (t) => {
  const hostile = new Error('hidden');
  Object.defineProperty(hostile, 'stack', {
    get() {
      throw new Error('no');
    },
  });
  t.equal(reasonOf(hostile), 'something that cannot be shown was thrown');
});
