// One interaction of an SDK agent: what the model is sent, what the session keeps, and how an abort ends it.
import { join } from 'node:path';
import t from 'tap';
import type { SessionItem } from '../../../../../shared/chat.ts';
import { AppError } from '../../../../../shared/errors.ts';
import { createUsageMeter } from '../../../../../worker/chat/engine/usage.ts';
import { makeFolder } from '../../../../helpers/folder.ts';
import { loadFile, loadOptions, makeContext, runAgent } from '../../../../helpers/interaction.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { startModelServer } from '../../../../helpers/model_server.ts';
import { PROJECT } from '../../../../helpers/process.ts';
import { recordAnswer } from '../../../../helpers/recording_answer.ts';
import { directed } from '../../../../helpers/serve.ts';
import { waitFor } from '../../../../helpers/wait_for.ts';

const model = await startModelServer();
const env = { OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'sk-x' };
Object.assign(process.env, env);
const load = (name: string) => loadFile(join(PROJECT, `test/fixtures/agents/${name}.ts`), loadOptions(env));
const weather = await load('sdk_weather');
const lastInput = () => model.requests.at(-1)?.body['input'] as readonly object[];

t.test('the items of a turn are plain JSON, and the next turn goes on with them', async (t) => {
  const message = directed([{ reasoning: 'hm', calls: [{ name: 'get_weather', arguments: { city: 'Rome' } }] }, { text: 'Sunny.' }]);
  const { end } = await runAgent(weather, message, { env });
  const kept = JSON.parse(JSON.stringify(end.items)) as readonly SessionItem[];
  t.strictSame(end.items, kept);
  const history: readonly SessionItem[] = [{ type: 'message', role: 'user', content: message }, ...kept];
  await runAgent(weather, directed({ text: 'Again.' }), { env, history });
  t.match(lastInput(), [
    { role: 'user', content: message },
    { type: 'reasoning', summary: [{ text: 'hm' }] },
    { type: 'function_call', arguments: '{"city":"Rome"}' },
    { type: 'function_call_output', output: 'The weather in Rome is sunny.' },
    { role: 'assistant', content: [{ text: 'Sunny.' }] },
    { role: 'user', content: directed({ text: 'Again.' }) },
  ]);
});

t.test('it goes on with a session that another kind of agent began', async (t) => {
  const history: readonly SessionItem[] = [
    { type: 'message', role: 'user', content: 'one' },
    { type: 'function_call', callId: 'c', name: 'find', arguments: '{}', status: 'completed' },
    { type: 'function_call_result', callId: 'c', name: 'find', status: 'completed', output: { type: 'text', text: 'found' } },
    { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'two' }] },
  ];
  await runAgent(weather, directed({ text: 'three' }), { env, history });
  t.match(lastInput(), [{ content: 'one' }, { type: 'function_call', call_id: 'c' }, { output: 'found' }, { content: [{ text: 'two' }] }, { role: 'user' }]);
});

t.test('uploaded files are sent with the message', async (t) => {
  const folder = await makeFolder(t, { 'note.txt': 'remember the milk' });
  const files = [{ name: 'note.txt', type: 'text/plain', size: 17, path: join(folder, 'note.txt') }];
  const message = 'Note this.';
  const answer = recordAnswer(message);
  await weather.run({ message, history: [], turnCount: 0 }, makeContext({ env, files }), answer, createUsageMeter());
  t.match(lastInput(), [{ role: 'user', content: [{ type: 'input_text', text: message }, { type: 'input_text', text: /remember the milk/ }] }]);
});

t.test('an abort ends it with its own reason, before the run, in a model call and while the reader is behind', async (t) => {
  const reason = new AppError('CANCELLED');
  await t.rejects(runAgent(weather, 'hi', { env, signal: AbortSignal.abort(reason) }), reason);
  for (const step of [{ stall: 'headers' }, { stall: 'body' }, { words: 9, stall: 3 }]) {
    const abort = new AbortController();
    const before = model.requests.length;
    const run = runAgent(weather, directed(step), { env, signal: abort.signal });
    const { closed } = await waitFor('the request', () => model.requests[before]);
    abort.abort(reason);
    await t.rejects(run, reason);
    t.equal(await closed, false);
  }
  const abort = new AbortController();
  const answer = recordAnswer('hi');
  const held = Promise.withResolvers<void>();
  let waits = 0;
  answer.ready = () => {
    waits += 1;
    return held.promise;
  };
  const before = model.requests.length;
  const run = weather.run({ message: directed({ words: 500, delayMs: 5 }), history: [], turnCount: 0 }, makeContext({ env, signal: abort.signal }), answer, createUsageMeter());
  await waitFor('it to wait', () => waits > 0);
  abort.abort(reason);
  held.reject(reason);
  await t.rejects(run, reason);
  t.equal(await model.requests[before]?.closed, false);
});

t.test('what a tool does after an abort is followed, until it has ended', async (t) => {
  const waiting = await load('sdk_waiting');
  for (const [tool, ends] of [['heed', true], ['ignore', false]] as const) {
    const abort = new AbortController();
    const answer = recordAnswer('hi');
    const message = directed([{ calls: [{ name: tool, arguments: {} }] }]);
    const context = makeContext({ env, signal: abort.signal });
    const run = waiting.run({ message, history: [], turnCount: 0 }, context, answer, createUsageMeter());
    await waitFor('the tool', () => context.logged.includes(`info ${tool}`));
    abort.abort(new AppError('CANCELLED'));
    await t.rejects(run, { code: 'CANCELLED' });
    const all = Promise.allSettled(answer.followed).then(() => true);
    if (ends) t.ok(await all);
    // As many turns of the event loop as the other may well have needed.
    else t.notOk(await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 300, false))]));
  }
});

t.test('a cut call makes the usage partial, also that of a run which a tool started', async (t) => {
  const usage = createUsageMeter();
  const answer = recordAnswer('hi');
  const orchestrator = await load('sdk_orchestrator');
  const message = directed([{ calls: [{ name: 'translate', arguments: { text: directed({ stall: 'headers' }) } }] }]);
  const abort = new AbortController();
  const before = model.requests.length;
  const run = orchestrator.run({ message, history: [], turnCount: 0 }, makeContext({ env, signal: abort.signal }), answer, usage);
  await waitFor('the second request', () => model.requests[before + 1]);
  abort.abort(new AppError('CANCELLED'));
  await t.rejects(run, { code: 'CANCELLED' });
  t.strictSame(usage.total(), { input_tokens: 7, output_tokens: 0, total_tokens: 7, partial: true });
});

t.test('the end', async (t) => {
  await model.close();
  nothingIsLeft(t);
});
