// A hard end is certain and soon, and ends nothing but its own process.
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { PROJECT, spawnProcess } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait_for.ts';

const IMPORT = `import { endNow } from ${JSON.stringify(`file://${PROJECT}/bin/hard_end.ts`)};`;
const run = (script: string) => spawnProcess(process.execPath, ['--input-type=module', '-e', `${IMPORT}${script}`]);

t.test('a process whose threads can be ended ends with its exit code, and its shell with it', async (t) => {
  const { process: child, exited } = run('endNow(7);');
  t.strictSame(await exited, { code: 7, signal: null });
  const pattern = `kill -9 ${child.pid}`;
  await waitFor('the shell to end', () => !execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).includes(pattern), 400);
});

t.test('a process with a thread inside a blocking call is killed within a second', async (t) => {
  const query = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000000) SELECT max(x) FROM n';
  const blocking = `require('node:worker_threads').parentPort.postMessage(1); new (require('node:sqlite').DatabaseSync)(':memory:').exec(${JSON.stringify(query)});`;
  const script = `import { Worker } from 'node:worker_threads';
    new Worker(${JSON.stringify(blocking)}, { eval: true, execArgv: [] }).once('message', () => setTimeout(() => { console.log(Date.now()); endNow(0); }, 100));`;
  const { process: child, output } = run(script);
  await new Promise((resolve) => child.once('exit', resolve));
  t.equal(child.signalCode, 'SIGKILL');
  t.ok(Date.now() - Number(output.stdout) < 1000);
});
