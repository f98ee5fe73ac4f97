// `.env` is read as it is meant, or refused with the line that cannot be.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { misspeltVariables, parseEnvironmentFile, readEnvironment, workerEnvironment } from '../../bin/environment.ts';
import { makeFolder } from '../helpers/folder.ts';

const parse = (text: string) => parseEnvironmentFile('/x/.env', text);

t.test('values, quotes, comments, exports and several lines are read', async (t) => {
  const text = '\uFEFF# a comment\r\n\nA=1\n  B = two words # and why\nexport C=\'#3\'\nD="x\ny=z\n# no comment" # one\nE=`a"b`\nF="a\\nb"\nG="#"\n';
  t.strictSame(parse(text), { A: '1', B: 'two words', C: '#3', D: 'x\ny=z\n# no comment', E: 'a"b', F: 'a\nb', G: '#' });
});

t.test('an empty value is empty, whatever the next line holds', async (t) => {
  t.strictSame(parse('A=\nB= \nexport C=\nD=""\nE=5'), { A: '', B: '', C: '', D: '', E: '5' });
});

t.test('a line that is no NAME=value is refused with its number', async (t) => {
  const expected = 'expected NAME=value, a comment or an empty line';
  for (const line of ['nonsense', 'A B=1', '=1', '1A=1', 'export', 'A: 1', '"A"=1']) {
    t.throws(() => parse(`OK="x\ny"\n\n${line}\nB=1`), { name: 'EnvironmentFileError', message: `/x/.env:4: ${expected}` }, line);
  }
});

t.test('a quote that is never closed is refused with the line where it opens', async (t) => {
  for (const quote of [`"`, `'`, '`']) t.throws(() => parse(`A=1\nB=${quote}x\nC=2`), { message: '/x/.env:2: expected the closing quote of this value' });
});

t.test('real variables win over those of the file', async (t) => {
  const folder = await makeFolder(t, { '.env': 'A=file\nB=file' });
  const { values, fromFile } = await readEnvironment(folder, { A: 'real', C: 'real', D: undefined });
  t.strictSame(values, { A: 'real', B: 'file', C: 'real' });
  t.strictSame([...fromFile], ['B']);
});

t.test('no file is an empty one; one that cannot be read is an error that names it', async (t) => {
  const folder = await makeFolder(t);
  t.strictSame((await readEnvironment(folder, {})).values, {});
  await mkdir(join(folder, '.env'));
  await t.rejects(readEnvironment(folder, {}), { exitCode: 78, message: /\/\.env: cannot be read: EISDIR/ });
});

t.test('a name of the file that is nearly a variable of the server is warned of, another is not', async (t) => {
  const folder = await makeFolder(t, { '.env': 'FORCE_ATUH=true\nREDIS_ULR=x\nKEEP_ALIVE_SECOND=1\nHOST=x\nMY_TOKEN=x\nFORCE_AUTH=true' });
  const warnings = misspeltVariables(await readEnvironment(folder, { REDIS_URLS: 'not of the file' }));
  t.match(warnings, [/FORCE_ATUH is no .* FORCE_AUTH\?/, /REDIS_ULR .* REDIS_URL\?/, /KEEP_ALIVE_SECOND .* KEEP_ALIVE_SECONDS\?/]);
  t.equal(warnings.length, 3);
});

t.test("workers are given everything but the server's own variables", async (t) => {
  const values = { REDIS_URL: 'r', LOGGING_DB_PASSWORD: 'p', OAI_ADMIN_TOKEN: 't', OPENAI_API_KEY: 'k', REDISH: 'x', PATH: '/bin' };
  t.strictSame(workerEnvironment(values), { OPENAI_API_KEY: 'k', REDISH: 'x', PATH: '/bin' });
});
