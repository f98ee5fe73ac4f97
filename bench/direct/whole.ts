// What a whole answer of a direct run is: the same that the load generator asks of a served one.
import { ANSWER, TOKEN_COUNT, TOKENS, USAGE } from '../answer.ts';

/** @returns null if the answer was whole, else what was wrong with it */
export function deviationOf(pieces: readonly string[], output: unknown, totalTokens: number | undefined): string | null {
  const wrong = TOKENS.findIndex((token, index) => pieces[index] !== token);
  if (wrong !== -1) return `piece ${wrong + 1}: expected ${JSON.stringify(TOKENS[wrong])}, got ${JSON.stringify(pieces[wrong])}`;
  if (pieces.length !== TOKEN_COUNT) return `${pieces.length} pieces instead of ${TOKEN_COUNT}`;
  if (output !== ANSWER) return `expected the whole text as output, got ${JSON.stringify(output)}`;
  return totalTokens === USAGE.total ? null : `expected a usage of ${USAGE.total} tokens, got ${totalTokens}`;
}
