// `check`: loads an agent as `serve` would, and prints what came of it.
import { isatty } from 'node:tty';
import { MODEL_VARIABLES, OPTION_VARIABLES, type ServeFlags, VARIABLES } from '../shared/config.ts';
import type { AgentFacts } from '../shared/protocol.ts';
import { inspectAgent } from '../supervisor/index.ts';
import type { Environment } from './environment.ts';
import { endNow } from './hard_end.ts';
import { prepare, type Prepared } from './prepare.ts';

const KNOWN_VARIABLES: readonly string[] = [...Object.keys(VARIABLES), ...OPTION_VARIABLES, ...MODEL_VARIABLES];

/** Prints one line a fact and ends the process with 0; throws what `serve` would where the agent does not load. */
export async function check(nameOrPath: string, flags: ServeFlags): Promise<void> {
  const prepared = await prepare(nameOrPath, flags);
  const { config, agentFile, workerEnv } = prepared;
  const facts = await inspectAgent({ config, agentFile, workerEnv, isTerminal: isatty(1) });
  const rows = [...describeAgent(prepared, facts), ...describeVariables(prepared.environment), ...describeOptions(prepared)];
  const lines = [...rows.map(([name, value]) => `${name.padEnd(12)} ${value}`), ...facts.warnings.map((warning) => `warning: ${warning}`)];
  process.stdout.write(lines.map((line) => `${line}\n`).join(''), () => endNow(0));
}

type Row = readonly [name: string, value: string];

function describeAgent({ config, agentFile }: Prepared, facts: AgentFacts): Row[] {
  return [
    ['agent', facts.name === config.agent ? facts.name : `${config.agent} (calls itself ${facts.name})`],
    ['file', agentFile],
    ['description', facts.description],
    ['framework', facts.framework],
    ['model', facts.model === null ? 'not known' : `${facts.model.model_id} (${facts.model.provider})`],
    ['tools', listed(facts.tools.map(({ name }) => name))],
    ['mcps', listed(facts.mcps.map(({ name, transport, perInteraction }) => `${name} (${transport}${perInteraction ? ', a connection for each interaction' : ''})`))],
    ['agents', listed(facts.agents)],
    ['prompts', listed(facts.prompts.map(({ name }) => name))],
    ['request_env', listed(facts.requestEnv)],
    ['tags', listed(facts.tags)],
    ['port', facts.port === null ? 'not named' : String(facts.port)],
    ['max_turns', String(facts.maxTurns)],
    ['max_items', String(facts.maxItems)],
  ];
}

/** Those of `.env` and those that the server knows, by name: no value is shown, since any of them may be a secret. */
function describeVariables({ values, fromFile }: Environment): Row[] {
  const names = Object.keys(values).filter((name) => fromFile.has(name) || KNOWN_VARIABLES.includes(name));
  const shown = names.sort().map((name) => `${name}=${values[name] === '' ? '' : '***'}${fromFile.has(name) ? ' (.env)' : ''}`);
  return [['variables', listed(shown)]];
}

/** The configuration in force, whatever it came from. */
function describeOptions({ config }: Prepared): Row[] {
  return Object.entries(config).map(([name, value]) => ['option', `${name} = ${shownOption(value)}`]);
}

function shownOption(value: unknown): string {
  if (value === null) return "the agent's";
  return value instanceof Set || Array.isArray(value) ? listed([...value].map(String)) : String(value);
}

function listed(items: readonly string[]): string {
  return items.length === 0 ? 'none' : items.join(', ');
}
