// The package as npm packs it runs from its built files, with agents of its own folder.
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { makeFolder } from './helpers/folder.ts';
import { PROJECT, spawnProcess } from './helpers/process.ts';
import { waitFor } from './helpers/wait_for.ts';

/** Without the variables that the test runner sets for its own children. */
async function run(command: string, args: readonly string[]): Promise<void> {
  const { exited, output } = spawnProcess(command, args);
  const { code } = await exited;
  if (code !== 0) throw new Error(`${command} ${args[0]}: ${output.stderr}`);
}

t.test('npm pack holds the launcher and what is built, and serves an agent elsewhere', async (t) => {
  const folder = await makeFolder(t, { 'agents/hello.yaml': 'name: hello\nsystem_prompt: You say hello.\nmodel: { provider: offline }\n' });
  await run('npm', ['pack', '--silent', '--pack-destination', folder]);
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? '';
  await mkdir(join(folder, 'node_modules'));
  await run('tar', ['-xzf', join(folder, tarball), '-C', join(folder, 'node_modules')]);
  const installed = join(folder, 'node_modules/package');
  t.strictSame(await readdir(join(installed, 'bin')), ['oai-agent-server.js']);
  t.strictSame((await readdir(join(installed, 'dist'))).toSorted(), ['bin', 'shared', 'supervisor', 'worker']);
  t.ok((await readdir(join(installed, 'dist/supervisor/pages/swagger-ui'))).includes('swagger-ui-bundle.js'));
  await symlink(join(PROJECT, 'node_modules'), join(installed, 'node_modules'));

  const words = [join(installed, 'bin/oai-agent-server.js'), 'hello', '--port', '0', '--host', '127.0.0.1', '--workers', '1'];
  const server = spawnProcess(process.execPath, words, { cwd: folder });
  t.teardown(() => server.process.kill('SIGKILL'));
  const url = await waitFor('the ready line', () => / ready on (http:\S+)/.exec(server.output.stdout)?.[1]);
  const answer = await fetch(`${url}/chat`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ message: 'hi' }),
  });
  t.match(await answer.json(), { response: /^Hello!/ });
  server.process.kill('SIGHUP');
  await waitFor('the reload', () => server.output.stderr.includes('generation 2 serves'));
  server.process.kill('SIGTERM');
  t.strictSame(await server.exited, { code: 0, signal: null });
});
