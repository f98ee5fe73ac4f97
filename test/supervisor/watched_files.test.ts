// Files that are watched: what counts as a change, however it comes about.
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { watchFiles, type WatchedFiles } from '../../supervisor/watched_files.ts';
import { makeFolder } from '../helpers/folder.ts';
import { PROJECT, spawnProcess } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait_for.ts';

interface Watched {
  readonly watched: WatchedFiles;
  readonly at: (path: string) => string;
  /** What was told since the last time. */
  readonly told: (what: string) => Promise<readonly string[]>;
}

/** Watches these of a folder's files. */
async function watching(t: Test, files: Readonly<Record<string, string>>, names: readonly string[]): Promise<Watched> {
  const folder = await makeFolder(t, files);
  const at = (path: string): string => join(folder, path);
  let said: string[] = [];
  const watched = watchFiles((file) => void said.push(file.slice(folder.length + 1)));
  t.teardown(() => watched.close());
  watched.set(names.map(at));
  const told = async (what: string): Promise<readonly string[]> => {
    await waitFor(what, () => said.length > 0);
    const since = said;
    said = [];
    return since;
  };
  return { watched, at, told };
}

t.test('a file that is written, put in place by a rename, removed, made again, touched', async (t) => {
  const { at, told } = await watching(t, { 'a.mjs': 'one' }, ['a.mjs']);
  writeFileSync(at('a.mjs'), 'two');
  t.strictSame(await told('a write'), ['a.mjs']);
  writeFileSync(at('.a.mjs.swp'), 'two');
  renameSync(at('.a.mjs.swp'), at('a.mjs'));
  t.strictSame(await told('a rename'), ['a.mjs'], 'the same size, another file');
  unlinkSync(at('a.mjs'));
  t.strictSame(await told('a removal'), ['a.mjs']);
  writeFileSync(at('a.mjs'), 'two');
  t.strictSame(await told('a new one'), ['a.mjs']);
  utimesSync(at('a.mjs'), new Date(0), new Date(0));
  t.strictSame(await told('a touch'), ['a.mjs']);
});

t.test('what changes nothing, and what is not watched, is not told', async (t) => {
  const { watched, at, told } = await watching(t, { 'a.mjs': 'one', 'b.mjs': 'one' }, ['a.mjs', 'b.mjs']);
  readFileSync(at('a.mjs'));
  chmodSync(at('a.mjs'), 0o600);
  writeFileSync(at('other.mjs'), 'one');
  writeFileSync(at('b.mjs'), 'two');
  t.strictSame(await told('the other one'), ['b.mjs']);
  watched.set([at('b.mjs')]);
  writeFileSync(at('a.mjs'), 'not wanted any more');
  writeFileSync(at('b.mjs'), 'three');
  t.strictSame(await told('the one that is left'), ['b.mjs']);
});

t.test('many changes at about the same time are one', async (t) => {
  const names = Array.from({ length: 40 }, (_, at) => `${at % 4}/${at}.mjs`);
  const { at, told } = await watching(t, Object.fromEntries(names.map((name) => [name, 'one'])), names);
  for (const name of names) writeFileSync(at(name), 'two');
  t.equal((await told('all of them')).length, 1);
  writeFileSync(at('0/0.mjs'), 'three');
  t.strictSame(await told('one more'), ['0/0.mjs'], 'and nothing else was told');
});

t.test('a file that goes on changing is told of all the same', async (t) => {
  const { at, told } = await watching(t, { 'a.mjs': '' }, ['a.mjs']);
  let text = '';
  const writing = setInterval(() => {
    text += 'x';
    writeFileSync(at('a.mjs'), text);
  }, 20);
  t.teardown(() => clearInterval(writing));
  t.strictSame((await told('a change')).slice(0, 1), ['a.mjs']);
});

t.test('a file, and a folder, that are yet to come', async (t) => {
  const { at, told } = await watching(t, { 'a.mjs': 'one' }, ['none.mjs', 'none/deep/b.mjs']);
  writeFileSync(at('none.mjs'), 'one');
  t.strictSame(await told('the file'), ['none.mjs']);
  mkdirSync(at('none/deep'), { recursive: true });
  writeFileSync(at('none/deep/b.mjs'), 'one');
  t.strictSame(await told('the folder'), ['none/deep/b.mjs']);
  writeFileSync(at('none/deep/b.mjs'), 'another');
  t.strictSame(await told('a write in it'), ['none/deep/b.mjs']);
});

t.test('a folder that vanishes and comes back', async (t) => {
  const { at, told } = await watching(t, { 'lib/a.mjs': 'one' }, ['lib/a.mjs']);
  rmSync(at('lib'), { recursive: true });
  t.strictSame(await told('the removal'), ['lib/a.mjs']);
  mkdirSync(at('lib'));
  writeFileSync(at('lib/a.mjs'), 'two');
  t.strictSame(await told('the new one'), ['lib/a.mjs']);
  renameSync(at('lib'), at('old'));
  mkdirSync(at('lib'));
  writeFileSync(at('lib/a.mjs'), 'three');
  t.ok((await told('the one in its place')).every((file) => file === 'lib/a.mjs'));
});

t.test('a link is watched, what it leads to, and where it is turned to', async (t) => {
  const { watched, at, told } = await watching(t, { 'one/a.mjs': 'one', 'two/a.mjs': 'two', 'agents/other': '' }, []);
  symlinkSync(at('one/a.mjs'), at('agents/a.mjs'));
  watched.set([at('agents/a.mjs')]);
  writeFileSync(at('one/a.mjs'), 'written');
  t.strictSame(await told('the target'), ['agents/a.mjs']);
  symlinkSync(at('two/a.mjs'), at('agents/~'));
  renameSync(at('agents/~'), at('agents/a.mjs'));
  t.strictSame(await told('the turn'), ['agents/a.mjs']);
  watched.set([at('agents/a.mjs')]);
  writeFileSync(at('two/a.mjs'), 'written');
  t.strictSame(await told('the new target'), ['agents/a.mjs']);
});

t.test('a folder on the way that is a link: where it is turned is seen when the same files are set again', async (t) => {
  const { watched, at, told } = await watching(t, { 'r1/agents/a.mjs': 'one', 'r2/agents/a.mjs': 'two' }, []);
  symlinkSync(at('r1'), at('current'));
  watched.set([at('current/agents/a.mjs')]);
  symlinkSync(at('r2'), at('~'));
  renameSync(at('~'), at('current'));
  watched.set([at('current/agents/a.mjs')]);
  t.strictSame(await told('the turn'), ['current/agents/a.mjs']);
  writeFileSync(at('r2/agents/a.mjs'), 'written');
  t.strictSame(await told('a write behind it'), ['current/agents/a.mjs']);
});

t.test('a mounted ConfigMap: links to a folder that is replaced as a whole', async (t) => {
  const { watched, at, told } = await watching(t, { '..v1/a.yaml': 'one', '..v2/a.yaml': 'two' }, []);
  symlinkSync('..v1', at('..data'));
  symlinkSync('..data/a.yaml', at('a.yaml'));
  watched.set([at('a.yaml')]);
  symlinkSync('..v2', at('..data_tmp'));
  renameSync(at('..data_tmp'), at('..data'));
  rmSync(at('..v1'), { recursive: true });
  t.strictSame(await told('the next version'), ['a.yaml']);
});

t.test('set again and again, a folder that is not there is looked for by one timer', async (t) => {
  const folder = await makeFolder(t);
  const delays: (number | undefined)[] = [];
  const real = globalThis.setTimeout;
  globalThis.setTimeout = ((work: () => void, delayMs?: number) => {
    delays.push(delayMs);
    return real(work, delayMs);
  }) as typeof setTimeout;
  const watched = watchFiles(() => undefined);
  try {
    for (let i = 0; i < 20; i += 1) watched.set([join(folder, 'none/a.mjs')]);
  } finally {
    globalThis.setTimeout = real;
    watched.close();
  }
  t.equal(delays.filter((delayMs) => delayMs === 1000).length, 1);
});

t.test('once closed it tells nothing, and takes nothing', async (t) => {
  const open = await watching(t, { 'a.mjs': 'one' }, ['a.mjs']);
  let told = 0;
  const watched = watchFiles(() => void (told += 1));
  watched.set([open.at('a.mjs')]);
  watched.close();
  watched.set([open.at('a.mjs')]);
  writeFileSync(open.at('a.mjs'), 'two');
  await open.told('one that is open');
  t.equal(told, 0);
});

t.test('it does not keep a process alive', async (t) => {
  const folder = await makeFolder(t, { 'a.mjs': 'one' });
  const files = [join(folder, 'a.mjs'), join(folder, 'none/b.mjs'), join(dirname(folder), 'none-at-all', 'c.mjs')];
  const module = JSON.stringify(join(PROJECT, 'supervisor/watched_files.ts'));
  const script = `import { watchFiles } from ${module}; watchFiles(() => {}).set(${JSON.stringify(files)}); console.log('watching');`;
  const { output, exited } = spawnProcess(process.execPath, ['--input-type=module', '--eval', script]);
  t.match(await exited, { code: 0 });
  t.match(output, { stdout: 'watching\n', stderr: '' });
});
