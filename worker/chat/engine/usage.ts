// Adds up what the model calls of one interaction used.
import type { AgentUsage, TokenUsage } from '../../../shared/chat.ts';
import type { UsageMeter } from '../agents/agent.ts';

/**
 * A meter for one interaction. The sum is `partial` while any call that was sent is not in it: one that was cut, or whose end told no usage, because
 * a figure that silently lacks a call would pass for the whole.
 */
export function createUsageMeter(): UsageMeter {
  let started = 0;
  let counted = 0;
  const sum = emptyCounts();
  const byAgent = new Map<string, AgentUsage>();
  return {
    callStarted() {
      started += 1;
    },
    callEnded(usage, by) {
      if (usage === null) return;
      counted += 1;
      add(sum, usage);
      if (by === undefined) return;
      const own = byAgent.get(by.agent) ?? { ...by, ...emptyCounts() };
      byAgent.set(by.agent, own);
      add(own, usage);
    },
    total(): TokenUsage | null {
      if (counted === 0) return null;
      const several = byAgent.size > 1 ? { by_agent: [...byAgent.values()] } : {};
      return { ...sum, ...(counted < started ? { partial: true } : {}), ...several };
    },
  };
}

interface Counts {
  input_tokens: number;
  output_tokens: number;
  total_tokens: number;
}

function emptyCounts(): Counts {
  return { input_tokens: 0, output_tokens: 0, total_tokens: 0 };
}

function add(sum: Counts, usage: Counts): void {
  sum.input_tokens += usage.input_tokens;
  sum.output_tokens += usage.output_tokens;
  sum.total_tokens += usage.total_tokens;
}

/**
 * Usage as an API names it; null unless both counts are whole numbers, since a wrong figure is worse than none.
 * @param total what the API says the sum is; added up where it does not say
 */
export function usageOf(input: unknown, output: unknown, total: unknown): TokenUsage | null {
  if (!isCount(input) || !isCount(output)) return null;
  return { input_tokens: input, output_tokens: output, total_tokens: isCount(total) ? total : input + output };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
