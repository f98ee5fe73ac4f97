// The lines that a start prints: what answers, where things are kept, who may come in, and what is unsafe.
import type { Config } from '../shared/config.ts';
import type { AgentFacts } from '../shared/protocol.ts';
import type { AdminToken } from './access/admin_token.ts';

/** What is told of the tokens. */
export interface TokenNotice {
  readonly count: number;
  readonly adminToken: AdminToken;
  /** Whether a person sees the lines: nothing else is shown the admin token. */
  readonly isTerminal: boolean;
}

/** @param nodeOptions what this process was started with: the words of NODE_OPTIONS and of its command line */
export function startNotices(config: Config, facts: AgentFacts, nodeOptions: readonly string[], tokens: TokenNotice): string[] {
  // V8 gives its own option precedence over the cap of a thread: https://nodejs.org/api/worker_threads.html (resourceLimits).
  const heapOption = nodeOptions.findLast((option) => /^--max[-_]old[-_]space[-_]size/.test(option));
  const model = facts.model === null ? 'as the agent chooses' : `${facts.model.model_id} (${facts.model.provider})`;
  return [
    `model: ${model}`,
    `sessions: embedded, in ${config.dataDir} (--data-dir)`,
    `access: ${accessOf(config)}`,
    ...(config.authEnabled ? [`tokens: ${tokensOf(tokens)}`] : []),
    ...facts.warnings.map((warning) => `warning: ${warning}`),
    ...(config.authEnabled || isLoopback(config.host)
      ? []
      : [`warning: AGENT_AUTH_ENABLED=false, so whoever reaches ${config.host} may do everything`]),
    ...(heapOption === undefined ? [] : [`warning: ${heapOption} caps the heap of each worker too, whatever --worker-heap-mb says`]),
    ...(config.unusedVariables.length === 0 ? [] : [`warning: this version does not use ${config.unusedVariables.join(', ')}`]),
  ];
}

function accessOf(config: Config): string {
  if (!config.authEnabled) return 'nobody is asked for a token (AGENT_AUTH_ENABLED)';
  if (config.authForced) return 'every request is asked for a token (FORCE_AUTH)';
  return 'requests of this user from this machine need no token, all others need one (FORCE_AUTH, AGENT_AUTH_ENABLED)';
}

function tokensOf({ count, adminToken: { place, made }, isTerminal }: TokenNotice): string {
  const where = place === 'OAI_ADMIN_TOKEN' ? place : `in ${place} (OAI_ADMIN_TOKEN)`;
  return `${count}; the admin token is ${where}${made === null || !isTerminal ? '' : `: ${made.reveal()}`}`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
