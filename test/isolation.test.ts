// Interactions that share a thread, each with variables of its own: none sees another's, wherever its code runs.
import t from 'tap';
import { chat } from './helpers/http_client.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import type { StartedServer } from './helpers/process.ts';
import { serve } from './helpers/serve.ts';
import { waitFor } from './helpers/wait_for.ts';

interface Sight {
  readonly threadId: number;
  readonly context?: string;
  readonly seenAt: Readonly<Record<string, readonly string[]>>;
}

const TWO_WORKERS = ['--workers', '2'];

/** One interaction for each of so many values; half of them set it in a header. */
async function askAll({ url }: StartedServer, count: number, message: string): Promise<Sight[]> {
  const asked = Array.from({ length: count }, (_, i) => {
    const value = `tenant-${i}`;
    return i % 2 === 0 ? chat(url, { message, env: { TENANT: value } }) : chat(url, { message }, { tenant: value });
  });
  return (await Promise.all(asked)).map(({ json }) => JSON.parse(String(json['response'])) as Sight);
}

/** What an interaction saw that set no value, while another had one. */
async function sightWithout({ url }: StartedServer): Promise<Set<string>> {
  const [, { json }] = await Promise.all([chat(url, { message: 'look', env: { TENANT: 'somebody' } }), chat(url, { message: 'look' })]);
  const { seenAt, context } = JSON.parse(String(json['response'])) as Sight;
  return new Set([context ?? 'nothing', ...Object.values(seenAt).flat().map((value) => (value === '' ? 'nothing' : value))]);
}

/** Where an interaction saw something else than its own value. */
function strangers(sights: readonly Sight[]): string[] {
  return sights.flatMap(({ context, seenAt }, i) => {
    const wrong = Object.entries(seenAt).filter(([, values]) => values.some((value) => value !== `tenant-${i}`));
    const told = wrong.map(([place, values]) => `${i} ${place}: ${values.join(', ')}`);
    return context === `tenant-${i}` ? told : [...told, `${i} in its context: ${context}`];
  });
}

/** What timers saw that their interactions had left running. */
function leftOver({ output }: StartedServer): string[] {
  return output.stderr.match(/left over: \S+?(?=")/g) ?? [];
}

t.test('a hundred interleaved interactions each see their own value, everywhere, and leave nothing of it', async (t) => {
  const server = await serve(t, 'watchful', { args: TWO_WORKERS });
  const sights = await askAll(server, 100, 'look');
  t.strictSame(strangers(sights), []);
  t.equal(Object.keys(sights[0]?.seenAt ?? {}).length, 14);
  t.equal(new Set(sights.map(({ threadId }) => threadId)).size, 2);
  await waitFor('all that was left over', () => leftOver(server).length === 100);
  t.strictSame(new Set(leftOver(server)), new Set(['left over: nothing']));
  t.strictSame(await sightWithout(server), new Set(['nothing']), 'who sets none sees none');
});

t.test('one at a time in a thread, an interaction sees its own value in callbacks of what an earlier one began, too', async (t) => {
  const server = await serve(t, 'watchful', { args: [...TWO_WORKERS, '--concurrency', '1'] });
  t.strictSame(strangers(await askAll(server, 20, 'pooled')), []);
  t.strictSame(strangers(await askAll(server, 4, 'look')), []);
});

nothingIsLeft(t);
