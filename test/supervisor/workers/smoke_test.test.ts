// The message that a new version answers before it serves.
import t from 'tap';
import { serveReleases } from '../../helpers/releases.ts';
import { send } from '../../helpers/http_client.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const trying = (smoke: string, chat: string): string => `export default { name: 'release', smoke_test: '${smoke}', async *chat({ message }, { userId, env, history }) { ${chat} } };`;

t.test('a version that answers takes over, one that does not is never seen', async (t) => {
  const { server, put, post } = await serveReleases(t, { env: { BOOT_TIMEOUT_SECONDS: '8' }, workers: 1 });
  await put(trying('try', "yield `${message} of ${userId}`; if (history.length > 0) throw new Error('a history');"));
  t.match(await post('/restart'), { status: 200, json: { generation: 2 } });
  await put(trying('try', "if (message === 'try') throw new Error('not today'); yield 'x';"));
  t.match(await post('/restart'), { status: 500, json: { detail: 'smoke_test: agent_failed: not today' } });
  await put(trying('try', "console.error('the key oas_0123456789_abcdefghijklmnop is not taken'); throw new Error('of two\\nlines');"));
  t.match(await post('/restart'), { status: 500, json: { detail: 'smoke_test: agent_failed: The agent failed.' } });
  await waitFor('what it said, in the log', () => /"source":"agent","msg":"the key \*\*\* is not taken"/.test(server.output.stderr));
  await waitFor('its error', () => /"source":"agent","msg":"[^"]*of two/.test(server.output.stderr));
  await put(trying('try', 'process.exit(1);'));
  t.match(await post('/restart'), { status: 500, json: { detail: /^smoke_test: agent_failed: / } });
  await waitFor('the call of exit, in the log', () => /The agent called process\.exit\(1\)/.test(server.output.stderr));
  await put(trying('try', "if (message === 'say something') yield 'x';"));
  t.match(await post('/restart'), { status: 500, json: { detail: 'smoke_test: the answer is empty' } });
  await put(trying('try', "process.kill(process.pid, 'SIGABRT'); for (;;);"));
  t.match(await post('/restart'), { status: 500, json: { detail: /the version ended the process that tried it \(SIGABRT\)/ } }, 'nor does the server end with it');
  await put(trying('try', 'await new Promise(() => {});'));
  t.match(await post('/restart'), { status: 500, json: { detail: 'smoke_test: no answer within 8 s (BOOT_TIMEOUT_SECONDS)' } });
  await put(trying('try', 'for (let i = 0; i < 1000; i += 1) yield "x".repeat(1000);'));
  t.match(await post('/restart'), { status: 200, json: { generation: 3 } }, 'a long answer is taken to its end');
  await put(trying('', 'yield 1;'));
  t.match(await post('/restart'), { status: 500, json: { detail: /smoke_test: expected a message that is not empty/ } });
  t.match((await send(server.url, '/metrics')).text, 'oai_interactions_total', 'and is counted nowhere');
  t.notMatch((await send(server.url, '/metrics')).text, /oai_interactions_total\{status="success"/);
});

t.test('a first start does not run it', async (t) => {
  const { server } = await serveReleases(t, { files: { 'agents/release.mjs': trying('try', "throw new Error('not today');") }, workers: 1 });
  t.equal((await send(server.url, '/ready')).status, 200);
});
