// A server that is killed while it appends: what it was told is kept, is there.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { PROJECT, spawnProcess } from '../../helpers/process.ts';
import { waitFor } from '../../helpers/wait_for.ts';
import { readSpool, startSpool } from './spool_harness.ts';

const ROUNDS = 10;
const SCRIPT = join(PROJECT, 'test/supervisor/logs/appending_process.ts');

t.test('every append that was acknowledged is there after kill -9, and what was open is interrupted', async (t) => {
  const folder = await makeFolder(t, { notes: '' });
  const [directory, notes] = [join(folder, 'spool'), join(folder, 'notes')];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { size } = await stat(notes);
    const { process: child, output, exited } = spawnProcess(process.execPath, [SCRIPT, directory, `round-${round}`, notes]);
    t.teardown(() => child.kill('SIGKILL'));
    // At another place each time.
    await waitFor('it to append', async () => (await stat(notes)).size > size + 20_000 + round * 7777, 30_000);
    child.kill('SIGKILL');
    t.equal((await exited).signal, 'SIGKILL', output.stderr);
  }
  const acknowledged = (await readFile(notes, 'utf8')).split('\n').slice(0, -1);
  const killed = await readSpool(directory);
  const there = new Set(killed.words);
  t.strictSame(acknowledged.filter((word) => !there.has(word)), []);
  t.equal(there.size, killed.words.length, 'nothing is there twice');
  t.ok(killed.damaged.length <= ROUNDS, 'at most the line that was being written');

  const { spool } = await startSpool(t, { directory, maxBytes: 2 ** 40 });
  await spool.recovered;
  const { words } = await readSpool(directory);
  const [opened, ended] = ['open', 'end'].map((type) => words.filter((word) => word.startsWith(`${type} `)).map((word) => word.split(' ')[1]).toSorted());
  t.strictSame(ended, opened, 'each that was opened has one end');
  t.equal(spool.spooled, ended?.length);
});

nothingIsLeft(t);
