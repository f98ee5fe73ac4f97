// `check`: loads an agent as `serve` would, and prints what came of it.
import type { ServeFlags } from '../shared/config.ts';
import type { AgentFacts } from '../shared/protocol.ts';
import { KNOWN_VARIABLES } from '../shared/variables.ts';
import { inspectAgent } from '../supervisor/index.ts';
import { configWarnings } from '../supervisor/notices.ts';
import { type Environment, misspeltVariables } from './environment.ts';
import { endSoon } from './hard_end.ts';
import { prepare, type Prepared } from './prepare.ts';
import { listed, shownConfig, type Row } from './shown_config.ts';

/** Prints one line a fact and ends the process with 0; throws what `serve` would where the agent does not load. */
export async function check(nameOrPath: string, flags: ServeFlags): Promise<void> {
  const prepared = await prepare(nameOrPath, flags);
  const facts = await inspectAgent(prepared);
  const { config, environment } = prepared;
  const options = shownConfig(config, facts.port).map(([name, value]): Row => ['option', `${name} = ${value}`]);
  const rows = [...describeAgent(prepared, facts), ...describeVariables(environment), ...options];
  const warnings = [...facts.warnings, ...configWarnings(config), ...misspeltVariables(environment)];
  const lines = [...rows.map(([name, value]) => `${name.padEnd(12)} ${value}`), ...warnings.map((warning) => `warning: ${warning}`)];
  process.stdout.write(lines.map((line) => `${line}\n`).join(''), () => endSoon(0));
}

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
    ['smoke_test', facts.smokeTest ?? 'none'],
  ];
}

/** Those of `.env` and those that the server knows, by name: no value is shown, since any of them may be a secret. */
function describeVariables({ values, fromFile }: Environment): Row[] {
  const names = Object.keys(values).filter((name) => fromFile.has(name) || KNOWN_VARIABLES.includes(name));
  const shown = names.sort().map((name) => `${name}=${values[name] === '' ? '' : '***'}${fromFile.has(name) ? ' (.env)' : ''}`);
  return [['variables', listed(shown)]];
}
