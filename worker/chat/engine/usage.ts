// Adds up what the model calls of one interaction used.
import type { TokenUsage } from '../../../shared/chat.ts';
import type { UsageMeter } from '../agents/agent.ts';

/**
 * A meter for one interaction. The sum is `partial` while any call that was sent is not in it: one that was cut, or whose end told no usage, because
 * a figure that silently lacks a call would pass for the whole.
 */
export function createUsageMeter(): UsageMeter {
  let started = 0;
  let counted = 0;
  let input = 0;
  let output = 0;
  let total = 0;
  return {
    callStarted() {
      started += 1;
    },
    callEnded(usage) {
      if (usage === null) return;
      counted += 1;
      input += usage.input_tokens;
      output += usage.output_tokens;
      total += usage.total_tokens;
    },
    total(): TokenUsage | null {
      if (counted === 0) return null;
      const sum = { input_tokens: input, output_tokens: output, total_tokens: total };
      return counted < started ? { ...sum, partial: true } : sum;
    },
  };
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
