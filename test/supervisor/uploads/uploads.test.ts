// The folder of uploads, and the files of each request in it: there for as long as they are needed, and no longer.
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { openUploads, type Uploads } from '../../../supervisor/uploads/uploads.ts';
import type { Upload } from '../../../supervisor/uploads/upload.ts';
import { UPLOAD_LIMITS, type UploadLimits } from '../../../supervisor/uploads/limits.ts';
import { makeFolder } from '../../helpers/folder.ts';
import { nothingIsLeft } from '../../helpers/leftovers.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const ID = '11111111-2222-4333-8444-555555555555';

interface Harness {
  readonly root: string;
  readonly uploads: Uploads;
  readonly logged: string[];
  /** Paths in the folder. */
  paths(): Promise<string[]>;
}

async function open(t: Test, limits: Partial<UploadLimits> = {}, root?: string): Promise<Harness> {
  const folder = root ?? join(await makeFolder(t), 'uploads');
  const logged: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const uploads = await openUploads(folder, log, { ...UPLOAD_LIMITS, ...limits });
  return { root: folder, uploads, logged, paths: async () => (await readdir(folder, { recursive: true })).toSorted() };
}

const storeText = (upload: Upload, name: string | undefined, text: string): Promise<void> => upload.store(name, 'text/plain', Readable.from([Buffer.from(text)]));

t.test('files are stored under a name of their own, and are the interaction\'s when it keeps them', async (t) => {
  const { root, uploads, paths } = await open(t);
  const upload = uploads.begin();
  t.strictSame(await paths(), [], 'without a file there is no folder');
  await Promise.all([storeText(upload, 'a.txt', 'one'), storeText(upload, 'A.TXT', 'three'), storeText(upload, '../x', '')]);
  t.match((await paths())[0], /^receiving-[0-9a-f-]{36}$/);
  const files = await uploads.keep(upload, ID);
  const folder = join(root, ID);
  t.strictSame(files, [
    { name: 'a.txt', type: 'text/plain', size: 3, path: join(folder, 'a.txt') },
    { name: 'A (2).TXT', type: 'text/plain', size: 5, path: join(folder, 'A (2).TXT') },
    { name: 'x', type: 'text/plain', size: 0, path: join(folder, 'x') },
  ]);
  t.strictSame(await Promise.all(files.map(({ path }) => readFile(path, 'utf8'))), ['one', 'three', '']);
  t.equal((await stat(folder)).mode & 0o777, 0o700);
  t.equal((await stat(root)).mode & 0o777, 0o700);
  t.equal((await stat(files[0]?.path ?? '')).mode & 0o777, 0o600);
  uploads.release('99999999-2222-4333-8444-555555555555');
  uploads.release(ID);
  uploads.release(ID);
  await waitFor('its folder to be gone', async () => (await paths()).length === 0);
});

t.test('what nobody filled in is no file', async (t) => {
  const { uploads, paths } = await open(t);
  const upload = uploads.begin();
  await storeText(upload, undefined, '');
  t.ok(upload.isEmpty);
  await storeText(upload, undefined, 'x');
  t.notOk(upload.isEmpty);
  t.equal((await uploads.keep(upload, ID))[0]?.name, 'file (2)');
  uploads.release(ID);
  await waitFor('its folder to be gone', async () => (await paths()).length === 0);
});

t.test('an id that was another interaction\'s a moment ago is free again', async (t) => {
  const { uploads, paths } = await open(t);
  for (let round = 0; round < 50; round += 1) {
    const upload = uploads.begin();
    await storeText(upload, `${round}.txt`, 'x');
    t.equal((await uploads.keep(upload, ID))[0]?.name, `${round}.txt`);
    uploads.release(ID);
  }
  await uploads.close();
  t.strictSame(await paths(), []);
});

t.test('an interaction that ends while its files are brought to their place leaves none', async (t) => {
  const { root, uploads, paths } = await open(t);
  for (let round = 0; round < 20; round += 1) {
    const upload = uploads.begin();
    await storeText(upload, 'a', 'x');
    const kept = uploads.keep(upload, ID);
    uploads.release(ID);
    t.match(await kept, [{ path: join(root, ID, 'a') }]);
  }
  await waitFor('every folder to be gone', async () => (await paths()).length === 0);
});

t.test('what is discarded is gone once nothing writes to it any more', async (t) => {
  const { uploads, paths } = await open(t);
  const upload = uploads.begin();
  // As the parser of a form does: the client may leave before anything else listens.
  const line = new PassThrough().on('error', () => undefined);
  const stored = upload.store('slow', '', line);
  line.write('x');
  await waitFor('the file', async () => (await paths()).length === 2);
  uploads.discard(upload);
  line.destroy(new Error('the client went away'));
  await t.rejects(stored, { message: 'the client went away' });
  await waitFor('its folder to be gone', async () => (await paths()).length === 0);
});

t.test('so many are received at once, one more is refused', async (t) => {
  const { uploads } = await open(t, { uploads: 2 });
  const [first] = [uploads.begin(), uploads.begin()];
  t.throws(() => uploads.begin(), { code: 'QUEUE_FULL', details: { retryAfterS: 5 } });
  uploads.discard(first as Upload);
  const third = await waitFor('a place', () => {
    try {
      return uploads.begin();
    } catch {
      return null;
    }
  });
  await storeText(third, 'a', 'x');
  t.throws(() => uploads.begin());
  await uploads.keep(third, ID);
  t.ok(uploads.begin(), 'what is kept is received no more');
  await uploads.close();
});

t.test('one byte more than a file may have, or all together, ends the upload', async (t) => {
  const { uploads, paths } = await open(t, { fileBytes: 10, totalBytes: 15 });
  const upload = uploads.begin();
  await storeText(upload, 'ten', 'x'.repeat(10));
  await storeText(upload, 'five', 'x'.repeat(5));
  await t.rejects(storeText(upload, 'one', 'x'), { code: 'PAYLOAD_TOO_LARGE', message: /^files: together larger than/ });
  await t.rejects(storeText(uploads.begin(), 'eleven', 'x'.repeat(11)), { code: 'PAYLOAD_TOO_LARGE', message: /^files: "eleven" is larger than/ });
  await uploads.close();
  t.strictSame(await paths(), []);
});

t.test('what the disk refuses is told without a path, and logged with it', async (t) => {
  const { root, uploads, logged } = await open(t);
  await rm(root, { recursive: true });
  await writeFile(root, 'not a folder');
  const upload = uploads.begin();
  const refusal = { code: 'STORE_UNAVAILABLE', status: 503, message: 'The files could not be stored.' };
  await t.rejects(storeText(upload, 'a.txt', 'x'), refusal);
  t.match(logged.join(), /ENOTDIR.*receiving-/);
  uploads.discard(upload);
  await uploads.close();
  t.match(logged.join(), /could not be removed/);
});

t.test('what an earlier server has left is removed at start, and nothing beside it', async (t) => {
  const folder = await makeFolder(t, { 'uploads/receiving-1/a.txt': 'a', [`uploads/${ID}/deep/b.txt`]: 'b', 'uploads/stray.txt': 'c', 'state.db': 'kept' });
  const { paths } = await open(t, {}, join(folder, 'uploads'));
  t.strictSame(await paths(), []);
  t.strictSame(await readdir(folder), ['state.db', 'uploads']);
});

t.test('a folder that cannot be one keeps the server from starting', async (t) => {
  const folder = await makeFolder(t, { uploads: 'a file' });
  await t.rejects(open(t, {}, join(folder, 'uploads')), { name: 'StartError', exitCode: 1, message: /^the folder for uploads .*uploads cannot be used: E[A-Z]+$/ });
});

nothingIsLeft(t);
