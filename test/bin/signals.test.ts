// What each signal asks of a running server.
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeFolder } from '../helpers/folder.ts';
import { PROJECT, spawnProcess } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait_for.ts';

const SCRIPT = `
import { followSignals } from ${JSON.stringify(`file://${PROJECT}/bin/signals.ts`)};
followSignals({
  stop: (reason) => console.log('stop: ' + reason),
  stopNow: (reason) => { console.log('at once: ' + reason); process.exit(0); },
  reload: (reason) => console.log('reload: ' + reason),
});
setInterval(() => {}, 1000);
console.log('ready');
`;

async function follow(t: Test) {
  const spawned = spawnProcess(process.execPath, ['--input-type=module', '-e', SCRIPT]);
  t.teardown(() => spawned.process.kill('SIGKILL'));
  await waitFor('the process to be ready', () => spawned.output.stdout.includes('ready'));
  return { ...spawned, printed: (text: string) => waitFor(text, () => (spawned.output.stdout + spawned.output.stderr).includes(text)) };
}

t.test('TERM and INT ask for a stop', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const { process: child, printed } = await follow(t);
    child.kill(signal);
    await printed(`stop: ${signal}\n`);
  }
});

t.test('a second TERM changes nothing, a second INT ends at once', async (t) => {
  const { process: child, printed, exited, output } = await follow(t);
  child.kill('SIGTERM');
  await printed('stop: SIGTERM\n');
  child.kill('SIGTERM');
  await printed('stop: SIGTERM\nstop: SIGTERM\n');
  child.kill('SIGINT');
  await printed('stop: SIGINT\n');
  await waitFor('an INT that counts as the second', () => output.stdout.includes('at once: a second SIGINT\n') || (child.kill('SIGINT'), false));
  t.strictSame(await exited, { code: 0, signal: null });
});

t.test('an INT that is passed on a moment after the first counts as the same one', async (t) => {
  const { process: child, printed, output } = await follow(t);
  child.kill('SIGINT');
  await printed('stop: SIGINT\n');
  child.kill('SIGINT');
  await printed('stop: SIGINT\nstop: SIGINT\n');
  t.notMatch(output.stdout, 'at once');
});

t.test('QUIT ends at once', async (t) => {
  const { process: child, exited, output } = await follow(t);
  child.kill('SIGQUIT');
  t.strictSame(await exited, { code: 0, signal: null });
  t.match(output.stdout, 'at once: SIGQUIT\n');
});

t.test('HUP without a terminal is a reload', async (t) => {
  const { process: child, printed, output } = await follow(t);
  child.kill('SIGHUP');
  await printed('reload: SIGHUP');
  t.notMatch(output.stdout, 'stop');
});

t.test('a terminal that hangs up is a stop', existsSync('/usr/bin/script') ? {} : { skip: 'no script(1) to make a terminal with' }, async (t) => {
  const folder = await makeFolder(t);
  const told = join(folder, 'told');
  const script = `import { followSignals } from ${JSON.stringify(`file://${PROJECT}/bin/signals.ts`)};
    import { writeFileSync } from 'node:fs';
    const fail = () => process.exit(1);
    followSignals({ stop: (reason) => { writeFileSync(${JSON.stringify(told)}, reason); process.exit(0); }, stopNow: fail, reload: fail });
    console.log('ready');
    setTimeout(() => {}, 20_000);`;
  await writeFile(join(folder, 'follow.mjs'), script);
  const terminal = spawnProcess('/usr/bin/script', ['-qec', `exec ${process.execPath} ${folder}/follow.mjs`, '/dev/null'], { stdin: null });
  await waitFor('the process to be ready', () => terminal.output.stdout.includes('ready'));
  terminal.process.kill('SIGKILL');
  t.equal(await waitFor('the process to be told', () => existsSync(told) && readFileSync(told, 'utf8')), 'SIGHUP');
});

t.test('USR1 does not open the inspector', async (t) => {
  const { process: child, printed, output } = await follow(t);
  child.kill('SIGUSR1');
  child.kill('SIGTERM');
  await printed('stop: SIGTERM\n');
  t.notMatch(output.stderr, /inspector|Debugger/i);
});
