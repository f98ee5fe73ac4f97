// An agent's file is found by its name, in a fixed order, or by its path.
import { join } from 'node:path';
import t from 'tap';
import { findAgentFile, listAgents } from '../../supervisor/agent_file.ts';
import { makeFolder } from '../helpers/folder.ts';

/** From the last to the first that is looked for. */
const PLACES = [
  'agents_config/a/agent.mjs', 'agents_config/a/agent.yaml', 'agents_config/a.json', 'agents_config/a.yaml',
  'agents/a/agent.ts', 'agents/a/agent.yaml',
  'agents/a.mjs', 'agents/a.js', 'agents/a.mts', 'agents/a.ts', 'agents/a.json', 'agents/a.yml', 'agents/a.yaml',
];

t.test('the first match in the documented order is taken', async (t) => {
  for (let count = 1; count <= PLACES.length; count += 1) {
    const places = PLACES.slice(0, count);
    const folder = await makeFolder(t, Object.fromEntries(places.map((place) => [place, ''])));
    t.strictSame(await findAgentFile(folder, 'a'), { file: join(folder, places.at(-1) ?? ''), name: 'a' });
  }
});

t.test('a path is called as its file, or as its folder where the file is agent.*', async (t) => {
  const folder = await makeFolder(t, { 'x/my bot.yaml': '', 'x/_b/agent.ts': '', 'agents/agent.yaml': '', 'x/note.txt': '' });
  t.strictSame(await findAgentFile('/', join(folder, 'x/my bot.yaml')), { file: join(folder, 'x/my bot.yaml'), name: 'my-bot' });
  t.match(await findAgentFile('/', join(folder, 'x/_b/agent.ts')), { name: 'b' });
  t.match(await findAgentFile('/', join(folder, 'agents/agent.yaml')), { name: 'agent' });
  await t.rejects(findAgentFile('/', join(folder, 'x/note.txt')), { message: /note\.txt: expected an agent's file, one of \*\.yaml, / });
  await t.rejects(findAgentFile('/', join(folder, 'x')), { message: `no agent's file at ${folder}/x` });
});

t.test('an unknown agent is an error that names the places and the agents there are', async (t) => {
  const folder = await makeFolder(t, { 'agents/zoe.ts': '', 'agents_config/adam/agent.yml': '', 'agents/notes.md': '', 'agents/empty/x.md': '' });
  t.strictSame(await listAgents(folder), ['adam', 'zoe']);
  await t.rejects(findAgentFile(folder, 'bob'), {
    name: 'UnknownAgentError',
    exitCode: 2,
    message: /^no agent bob in \/.*: looked for agents\/bob\{EXT\}, .* with EXT one of \.yaml .*; agents there: adam, zoe$/,
  });
  await t.rejects(findAgentFile(join(folder, 'nowhere'), 'bob'), { message: /agents there: none$/ });
});

t.test('a name that is none says what a name is', async (t) => {
  for (const name of ['', '.', '..', 'a b', '-x', 'a:b', 'ä']) await t.rejects(findAgentFile('/', name), { message: /expected a name of letters/ }, name);
});
