// `serve` from its first line to its end.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import t, { type Test } from 'tap';
import { makeFolder } from '../helpers/folder.ts';
import { LAUNCHER, runCommand, spawnProcess, startServer } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait_for.ts';

const FILES = {
  'agents/hello.yaml': 'name: hello\nsystem_prompt: You say hello.\nmodel: { provider: offline }\n',
  'agents/endless.ts': 'export default async function* () { yield "on and on"; await new Promise(() => {}); }\n',
};
/** The connection is not kept: an idle one would be waited for when the server stops. */
const ONCE = { headers: { connection: 'close' } };

async function serve(t: Test, agent = 'hello') {
  const cwd = await makeFolder(t, FILES);
  const server = await startServer({ agent, args: ['--host', '127.0.0.1', '--workers', '1'], cwd });
  t.teardown(() => server.stop());
  return { ...server, cwd };
}

t.test('it says where it serves, answers there, and ends with 0 on TERM', async (t) => {
  const { url, output, process: child, exited } = await serve(t);
  t.match(output.stdout, /^oai-agent-server: hello ready on http:\/\/127\.0\.0\.1:\d+ \(1 workers, generation 1\)$/m);
  t.match(await (await fetch(`${url}/health`, ONCE)).json(), { status: 'healthy', agent: 'hello' });
  child.kill('SIGTERM');
  t.strictSame(await exited, { code: 0, signal: null });
});

t.test('INT and QUIT end it with 0', async (t) => {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    const { process: child, exited } = await serve(t);
    child.kill(signal);
    t.strictSame(await exited, { code: 0, signal: null });
  }
});

t.test('a second INT ends it at once, whatever still runs', async (t) => {
  const { url, process: child, exited, output } = await serve(t, 'endless');
  const body = JSON.stringify({ message: 'go' });
  const answer = await fetch(`${url}/chat/stream`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  await waitFor('the answer to begin', async () => (await reader?.read())?.value?.includes('on and on'));
  child.kill('SIGINT');
  await waitFor('the stop to begin', () => output.stderr.includes('"draining"'));
  t.equal(child.exitCode, null);
  const began = performance.now();
  await waitFor('an INT that counts as the second', () => child.exitCode !== null || (child.kill('SIGINT'), false));
  t.strictSame(await exited, { code: 0, signal: null });
  t.ok(performance.now() - began < 2000);
  await reader?.cancel().catch(() => {});
});

t.test('HUP and USR1 leave it serving', async (t) => {
  const { url, process: child } = await serve(t);
  child.kill('SIGHUP');
  child.kill('SIGUSR1');
  t.equal((await fetch(`${url}/health`, ONCE)).status, 200);
});

t.test('a HUP while it starts is obeyed once it serves', async (t) => {
  const slow = `import { appendFileSync, existsSync } from 'node:fs';
    const [started, go] = ['started', 'go'].map((name) => import.meta.dirname + '/' + name);
    appendFileSync(started, '');
    while (!existsSync(go)) await new Promise((resolve) => setTimeout(resolve, 10));
    export default async function* () { yield 'hi'; }`;
  const cwd = await makeFolder(t, { 'agents/slow.mjs': slow });
  const words = ['slow', '--host', '127.0.0.1', '--port', '0', '--workers', '1'];
  const { process: child, output, exited } = spawnProcess(process.execPath, [LAUNCHER, ...words], { cwd });
  t.teardown(() => child.kill('SIGKILL'));
  await waitFor('the agent to be loaded', () => existsSync(`${cwd}/agents/started`));
  child.kill('SIGHUP');
  await writeFile(`${cwd}/agents/go`, '');
  const url = await waitFor('the ready line', () => / ready on (http:\S+)/.exec(output.stdout)?.[1]);
  await waitFor('the reload', async () => ((await (await fetch(`${url}/agent/info`, ONCE)).json()) as { generation: number }).generation === 2);
  child.kill('SIGTERM');
  t.strictSame(await exited, { code: 0, signal: null });
});

t.test('a port that is taken exits 1, and is named', async (t) => {
  const { url, cwd } = await serve(t);
  const { port } = new URL(url);
  const { code, stderr } = await runCommand(['hello', '--host', '127.0.0.1', '--port', port, '--data-dir', `${cwd}/other`], { cwd });
  t.equal(code, 1);
  t.match(stderr, new RegExp(`^oai-agent-server: .*${port}.*$`, 'm'));
  t.notMatch(stderr, /^ +at /m);
});
