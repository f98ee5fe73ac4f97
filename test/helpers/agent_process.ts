// Loads an agent in a process of its own, for modules that change what a whole process shares, and runs interactions in it.
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { AgentFacts } from '../../shared/protocol.ts';
import { makeFolder } from './folder.ts';
import { PROJECT, spawnProcess } from './process.ts';

export interface AskedAgent {
  readonly message: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface AgentReport {
  /** Why it did not load; null where it did. */
  readonly failure: string | null;
  readonly facts: AgentFacts;
  /** Of each message that it was asked: the last message of its answer, or the code and words of the error. */
  readonly answers: readonly string[];
  /** What the module says of itself at the end: its exported function `report()`. */
  readonly report: unknown;
  readonly printed: string;
}

/** A module with an SDK agent. @param more what else it does, before @param options of the agent, as source */
export function sdkModule(more = '', options = ''): string {
  const imports = "import * as sdk from '@openai/agents';\nimport OpenAI from 'openai';\n";
  return `${imports}${more}\nexport default new sdk.Agent({ name: 'An agent', instructions: 'x', ${options} });\n`;
}

const SCRIPT = `
import { importModule } from '${PROJECT}/worker/chat/agents/import_module.ts';
import { loadFile, loadOptions, runAgent } from '${PROJECT}/test/helpers/interaction.ts';
const { asked, env } = JSON.parse(process.argv[2]);
const told = { failure: null, facts: null, answers: [], report: null };
try {
  const agent = await loadFile(import.meta.dirname + '/agent.ts', loadOptions(env));
  told.facts = agent.facts;
  for (const { message, env: own } of asked) {
    Object.assign(process.env, own);
    const answer = await runAgent(agent, message, { env: { ...env, ...own } }).then(({ answer }) => answer.messages.at(-1), (error) => error.code + ' ' + error.message);
    told.answers.push(answer ?? '');
  }
  await agent.close();
  told.report = await (await importModule(import.meta.dirname + '/agent.ts')).report?.() ?? null;
} catch (error) {
  told.failure = error.message;
}
process.stdout.write('\\n' + JSON.stringify(told));
`;

/**
 * @param files beside \`agent.ts\`, by path
 * @param env of the process, and the base of every interaction
 */
export async function agentProcess(
  t: Test,
  files: Readonly<Record<string, string>> & { readonly 'agent.ts': string },
  env: Readonly<Record<string, string>> = {},
  ...asked: readonly AskedAgent[]
): Promise<AgentReport> {
  const folder = await makeFolder(t, { ...files, 'script.ts': SCRIPT, 'package.json': '{"type":"module"}' });
  await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  const { output, exited } = spawnProcess(process.execPath, [join(folder, 'script.ts'), JSON.stringify({ asked, env })], { env, cwd: folder });
  await exited;
  const [json = '', ...before] = output.stdout.split('\n').toReversed();
  try {
    return { ...(JSON.parse(json) as AgentReport), printed: `${before.toReversed().join('\n')}${output.stderr}`.trim() };
  } catch (error) {
    throw new Error(`the process said: ${output.stdout}${output.stderr}`, { cause: error });
  }
}
