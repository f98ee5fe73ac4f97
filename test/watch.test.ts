// --watch: what is edited is served, and nothing else makes a reload.
import { access, rename, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { chat, send, type Json } from './helpers/http_client.ts';
import { answerOf, serveReleases, versioned, type Releases } from './helpers/releases.ts';
import { waitFor } from './helpers/wait_for.ts';

const answered = async ({ server }: Releases, message = '0'): Promise<unknown> => (await chat(server.url, { message })).json['response'];
const generationOf = async ({ server }: Releases): Promise<unknown> => (await send(server.url, '/agent/info')).json['generation'];
const failureOf = async ({ server }: Releases): Promise<string> => {
  const last = (await send(server.url, '/status')).json['last_reload'] as Json | null;
  return last?.['ok'] === false ? String(last['error']) : '';
};
const importing = "import { VERSION } from './lib/version.mjs';\nexport default async function* () { yield VERSION; }\n";

t.test('the file of the agent, however it is written', async (t) => {
  const releases = await serveReleases(t, { args: ['--watch'], workers: 1 });
  await releases.put(versioned('v2'));
  await waitFor('what was written in place', async () => (await answered(releases)) === answerOf('v2'));
  await releases.write('agents/release.mjs~', versioned('v3'));
  await rename(join(releases.folder, 'agents/release.mjs~'), join(releases.folder, 'agents/release.mjs'));
  await waitFor('what was put in its place', async () => (await answered(releases)) === answerOf('v3'));
  t.equal(await generationOf(releases), 3);
  await releases.write('agents/other.mjs', 'nobody imports this');
  const now = new Date();
  await utimes(join(releases.folder, 'agents/release.mjs'), now, now);
  await waitFor('a touch', async () => (await generationOf(releases)) === 4);
});

t.test('modules of its own, .env, and what is broken in between', async (t) => {
  const files = { 'agents/release.mjs': importing, 'agents/lib/version.mjs': "export const VERSION = 'v1';\n", '.env': 'MOOD=calm\n' };
  const releases = await serveReleases(t, { args: ['--watch'], files, workers: 1 });
  t.equal(await answered(releases), 'v1');
  await releases.write('agents/lib/version.mjs', "export const VERSION = 'v2';\n");
  await waitFor('the imported module', async () => (await answered(releases)) === 'v2');
  await releases.write('agents/lib/version.mjs', 'export const VERSION = ;\n');
  await waitFor('the word of what is broken', async () => /syntax error/.test(await failureOf(releases)));
  t.equal(await answered(releases), 'v2', 'the old version answers');
  await releases.write('agents/lib/version.mjs', "export { VERSION } from './real.mjs';\n");
  await waitFor('the word of what is missing', async () => /real\.mjs/.test(await failureOf(releases)));
  await releases.write('agents/lib/real.mjs', "export const VERSION = 'v3';\n");
  await waitFor('what was missing', async () => (await answered(releases)) === 'v3');
  await releases.put(versioned('v4'));
  await waitFor('another version', async () => (await answered(releases)) === answerOf('v4'));
  await releases.write('.env', 'MOOD=glad\n');
  await waitFor('.env', async () => (await answered(releases, 'env MOOD')) === 'glad');
});

t.test('a module that is new in a version, and edited while that is tried', async (t) => {
  const releases = await serveReleases(t, { args: ['--watch'], workers: 1 });
  const isLoaded = "import { writeFileSync } from 'node:fs';\nwriteFileSync(new URL('loaded', import.meta.url), '');\n";
  await releases.write('agents/fresh.mjs', `${isLoaded}export const VERSION = 'v2';\n`);
  await releases.put("import { VERSION } from './fresh.mjs';\nawait new Promise((resolve) => setTimeout(resolve, 1000));\nexport default async function* () { yield VERSION; }\n");
  await waitFor('the trial to have read it', () => access(join(releases.folder, 'agents/loaded')).then(() => true, () => false));
  await releases.write('agents/fresh.mjs', "export const VERSION = 'v3';\n");
  await waitFor('the edit', async () => (await answered(releases)) === 'v3', 20_000);
  t.equal(await generationOf(releases), 3);
});

t.test('a module that is imported by an interaction only, and a folder that is turned to another release', async (t) => {
  const late = "export default async function* () { yield (await import('./late.mjs')).VERSION; }\n";
  const of = (version: string): string => `export const VERSION = '${version}';\n`;
  const files = { 'agents/release.mjs': late, 'agents/late.mjs': of('v1'), 'next/release.mjs': late, 'next/late.mjs': of('v3') };
  const releases = await serveReleases(t, { args: ['--watch'], files, workers: 1 });
  t.equal(await answered(releases), 'v1');
  let edits = 0;
  // It is watched soon after the answer: an edit before that is seen by the next one.
  const edited = async (): Promise<boolean> => {
    await releases.write('agents/late.mjs', `${of('v2')}// ${(edits += 1)}\n`);
    return (await answered(releases)) === 'v2';
  };
  await waitFor('the edit', edited);
  const at = (path: string): string => join(releases.folder, path);
  await rename(at('agents'), at('before'));
  await symlink(at('next'), at('agents'));
  await waitFor('the other release', async () => (await answered(releases)) === 'v3');
});

t.test('a link that is turned to another release', async (t) => {
  const files = { 'one/release.mjs': versioned('v1'), 'two/release.mjs': versioned('v2') };
  const releases = await serveReleases(t, { files, workers: 1 });
  t.equal(await answered(releases), answerOf('v1'));
  const at = (path: string): string => join(releases.folder, path);
  await rename(at('agents'), at('before'));
  await symlink(at('one'), at('agents'));
  await releases.post('/restart');
  await symlink(at('two'), at('agents~'));
  await rename(at('agents~'), at('agents'));
  t.equal((await releases.post('/restart')).status, 200);
  t.equal(await answered(releases), answerOf('v2'), 'the next reload follows it');
});

t.test('without --watch nothing is watched', async (t) => {
  const releases = await serveReleases(t, { workers: 1 });
  await releases.put(versioned('v2'));
  await releases.write('.env', 'A=b');
  await new Promise((resolve) => setTimeout(resolve, 600));
  t.equal(await generationOf(releases), 1);
});

t.test('a definition that is broken when it is first named', async (t) => {
  const whole = 'name: release\nmodel: { provider: offline }\n';
  const releases = await serveReleases(t, { args: ['--watch'], files: { 'agents/release.yaml': whole }, workers: 1 });
  await releases.write('agents/other.yaml', 'model: [\n');
  await releases.write('agents/release.yaml', `${whole}agents: [{ agent: other, use: tool }]\n`);
  await waitFor('the word of what is broken', async () => /other\.yaml/.test(await failureOf(releases)));
  await releases.write('agents/other.yaml', 'name: other\ndescription: helps\nmodel: { provider: offline }\n');
  await waitFor('what was mended', async () => (await generationOf(releases)) === 2);
});
