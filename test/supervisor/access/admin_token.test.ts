// The admin token of a data directory: made once, its owner's alone, and never half of one.
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t, { type Test } from 'tap';
import { Secret } from '../../../shared/secret.ts';
import { openAdminToken, readAdminToken } from '../../../supervisor/access/admin_token.ts';
import { digestOf } from '../../../supervisor/access/token_form.ts';
import { makeFolder } from '../../helpers/folder.ts';

const NONE = new Secret(null);
const fileIn = async (t: Test, text?: string): Promise<string> =>
  join(await makeFolder(t, text === undefined ? {} : { 'admin-token': text }), 'admin-token');
const modeOf = async (file: string): Promise<string> => ((await stat(file)).mode & 0o777).toString(8);

t.test('it is made at the first start, for its owner alone, and is the same at the second', async (t) => {
  const file = await fileIn(t);
  const first = await openAdminToken(NONE, file);
  const token = (await readFile(file, 'utf8')).trim();
  t.match(token, /^oas_admin_\w{32}$/);
  t.equal(await modeOf(file), '600');
  t.strictSame({ ...first, made: first.made?.reveal() }, { digest: digestOf(token), place: file, made: token });
  t.strictSame(await openAdminToken(NONE, file), { digest: digestOf(token), place: file, made: null });
  t.strictSame(await readdir(join(file, '..')), ['admin-token'], 'and nothing is left beside it');
});

t.test('one that was put there counts, and becomes its owner\'s alone', async (t) => {
  const file = await fileIn(t, '\n sixteen-or-more! \n');
  await chmod(file, 0o644);
  t.match(await openAdminToken(NONE, file), { digest: digestOf('sixteen-or-more!'), made: null });
  t.equal(await modeOf(file), '600');
});

t.test('OAI_ADMIN_TOKEN comes before the file, which is then not made', async (t) => {
  const file = await fileIn(t);
  t.strictSame(
    await openAdminToken(new Secret('a token of the operator'), file),
    { digest: digestOf('a token of the operator'), place: 'OAI_ADMIN_TOKEN', made: null },
  );
  await t.rejects(stat(file));
});

t.test('a file that holds none is an error that names it and shows nothing of it', async (t) => {
  for (const text of ['', 'too short', 'with spaces in the middle of it', 'x'.repeat(257)]) {
    const file = await fileIn(t, text);
    await t.rejects(
      openAdminToken(NONE, file),
      {
        exitCode: 78,
        message: `${file}: expected from 16 to 256 characters of ASCII without spaces; where it is removed, the next start makes another`,
      },
    );
    t.equal(await readFile(file, 'utf8'), text);
  }
  const folder = await makeFolder(t, { 'admin-token/x': '' });
  await t.rejects(openAdminToken(NONE, join(folder, 'admin-token')), { exitCode: 1, message: /admin-token cannot be used: EISDIR$/ });
  t.equal(await readAdminToken(join(folder, 'none')), null);
});

t.test('what an interrupted start has left of one is not taken for it', async (t) => {
  const file = await fileIn(t);
  await writeFile(`${file}.new`, 'oas_admin_hal');
  t.not((await openAdminToken(NONE, file)).made, null);
  t.match(await readFile(file, 'utf8'), /^oas_admin_\w{32}\n$/);
});

t.test('a secret is shown by nothing but its reveal', async (t) => {
  const secret = new Secret('hidden');
  const all = [String(secret), JSON.stringify({ secret }), inspect(secret), inspect({ secret }, { showHidden: true, depth: 9 }), `${secret}`];
  for (const shown of all) t.notMatch(shown, 'hidden', shown);
  t.strictSame([String(secret), String(NONE), secret.reveal()], ['***', 'not set', 'hidden']);
});
