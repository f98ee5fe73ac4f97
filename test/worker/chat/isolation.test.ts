// What belongs to an interaction in a thread that it shares: its environment, its stray errors, its console. Each scenario has a thread of its own.
import { once } from 'node:events';
import t from 'tap';
import { Worker } from 'node:worker_threads';
import { nothingIsLeft } from '../../helpers/leftovers.ts';

interface Outcome {
  readonly result: unknown;
  readonly told: readonly string[];
}

async function run(scenario: string, exclusive = false): Promise<Outcome> {
  const worker = new Worker(new URL('../../fixtures/threads/isolated.ts', import.meta.url), { workerData: { scenario, exclusive } });
  const [outcome] = (await once(worker, 'message')) as [Outcome];
  await worker.terminate();
  return outcome;
}

t.test('each interaction sees its own variables across awaits, and outside there is the base', async (t) => {
  const { result } = await run('environments');
  t.strictSame(result, { inside: [['a'], ['b'], ['c']], outside: ['nothing', 'base', 'base'] });
});

t.test('process.env behaves as the real one: values become text, keys are its own', async (t) => {
  const { result } = await run('like the real one');
  t.match(result, {
    set: '1',
    defined: '2',
    has: [true, false, true, true, false],
    keys: ['BASE', 'BOTH', 'OWN', 'NUMBER', 'DEFINED'],
    prototype: [true, undefined, false],
    symbol: 'TypeError',
    json: { BASE: 'base', BOTH: 'a', OWN: 'a', NUMBER: '1', DEFINED: '2' },
  });
});

t.test('what an interaction sets is its own, what is set outside is for all that come', async (t) => {
  const { result } = await run('what is set inside');
  t.strictSame(result, ['base', undefined, 'set outside', 'set outside']);
});

t.test('what an interaction leaves running sees nothing of it when it has ended', async (t) => {
  const { result } = await run('what is left');
  t.strictSame(result, ['a', 'nothing', 'nothing']);
});

t.test('process.exit throws, and fails the interaction even where that is caught', async (t) => {
  const { result, told } = await run('exit');
  const messages = ['1', '2'].map((code) => `The agent called process.exit(${code}), which does not end the server.`);
  t.strictSame(result, messages);
  t.strictSame(told, messages.flatMap((message) => [`stderr of a: ${message}\n`, `a failed: ${message}`]));
});

t.test('an error out of no await fails the interaction that it comes from, and is told of', async (t) => {
  const { told } = await run('stray errors');
  const told1 = (id: string, message: string) => [`${id} failed: ${message}`, `stray of ${id}: ${message}`];
  const expected = [...told1('timer', 'thrown'), ...told1('promise', 'rejected'), ...told1('emitter', 'emitted'), ...told1('text', 'no error')];
  t.strictSame(told.toSorted(), [...expected, 'stray of null: of nobody'].toSorted());
});

t.test('what is printed is told with the interaction that printed it', async (t) => {
  const { result, told } = await run('console');
  t.strictSame(told, ['stdout of a: said 1\n', 'stderr of b: wrong\n', 'stdout of c: bytes', 'stdout of null: nobody\n', 'stderr of d: told']);
  t.equal(result, 'd', 'and the callback of a write is called');
});

t.test('a pooled callback sees whoever caused it; where interactions run one at a time, the one that runs', async (t) => {
  const shared = await run('pooled callbacks');
  t.strictSame(shared.result, ['first', 'nothing', 'nothing']);
  const exclusive = await run('pooled callbacks', true);
  t.strictSame(exclusive.result, ['first', 'second', 'nothing']);
  t.strictSame(exclusive.told, ['first failed: of the first, late', 'stray of first: of the first, late'], 'a late error is still its own');
});

nothingIsLeft(t);
