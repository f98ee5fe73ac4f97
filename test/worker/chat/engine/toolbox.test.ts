import { join } from 'node:path';
import t from 'tap';
import { makeFolder } from '../../../helpers/folder.ts';
import { loadFile, loadOptions, makeContext } from '../../../helpers/interaction.ts';
import { SCRIPTED } from '../../../helpers/mcp.ts';
import { recordAnswer } from '../../../helpers/recording_answer.ts';
import type { McpServers, McpTools } from '../../../../worker/chat/engine/mcp/servers.ts';
import { createToolboxes } from '../../../../worker/chat/engine/toolbox.ts';
import type { Tool } from '../../../../worker/chat/engine/tools.ts';
import { createUsageMeter } from '../../../../worker/chat/engine/usage.ts';

const toolOf = (name: string, from: string): Tool => ({
  name, description: from, parameters: {}, timeoutMs: 1000, validate: (args) => args, execute: () => from,
});
const run = { context: makeContext(), answer: recordAnswer('hi'), usage: createUsageMeter() };

function serversWith(list: () => readonly Tool[], opened: McpTools | null = null): McpServers {
  return {
    facts: [{ name: 's', transport: 'stdio', perInteraction: opened !== null, tools: [] }],
    get tools() {
      return list();
    },
    openForInteraction: async () => opened,
    close: async () => undefined,
  };
}

t.test('the list that the model is told is made anew only when a server lists others', async (t) => {
  let listed = [toolOf('s__a', 'server')];
  const open = createToolboxes({ own: [toolOf('own', 'own')], mcp: serversWith(() => listed), agents: [], handoffs: [] });
  const first = await open(run);
  t.equal((await open(run)).specs, first.specs);
  listed = [toolOf('s__b', 'server')];
  t.same((await open(run)).specs.map(({ name }) => name), ['own', 's__b']);
});

t.test('of two tools with one name the agent\'s own counts, and a way to hand over is never hidden', async (t) => {
  let closed = 0;
  const opened = { tools: [toolOf('law', 'server'), toolOf('c', 'server')], close: async () => void (closed += 1) };
  const handoff = { name: 'transfer_to_x', description: 'over', parameters: {} };
  const open = createToolboxes({
    own: [toolOf('a', 'own')],
    mcp: serversWith(() => ['a', 'b', 'transfer_to_x', 'law'].map((name) => toolOf(name, 'server')), opened),
    agents: [() => toolOf('law', 'agent')],
    handoffs: [handoff],
  });
  const box = await open(run);
  t.same(box.specs.map(({ name, description }) => `${name} ${description}`).toSorted(), ['a own', 'b server', 'c server', 'law agent', 'transfer_to_x over']);
  t.equal(box.tools.has('transfer_to_x'), false);
  await box.close();
  t.equal(closed, 1);
});

t.test('a server whose tool has a name of the agent\'s own is a load error, and its process is ended', async (t) => {
  const folder = await makeFolder(t, {
    'a.yaml': `model: { provider: offline }\ntools: [{ module: ./t.mjs }]\nmcps:\n  s: ${JSON.stringify(SCRIPTED)}\n`,
    't.mjs': 'export const s__about = { description: "mine", execute: () => "mine" };\n',
  });
  let pids: readonly number[] = [];
  const options = { ...loadOptions(), reportMcps: (_servers: unknown, now: readonly number[]) => void (pids = now) };
  await t.rejects(loadFile(join(folder, 'a.yaml'), options), { name: 'AgentLoadError', message: 'mcps: two tools are named s__about', line: 3 });
  t.strictSame(pids, []);
});
