// The model's own stream in chat completions, for when it is asked directly.
import { TOKEN_COUNT } from '../answer.ts';
import { DONE, startsWith, type Grammar, type OnText } from './grammar.ts';

const DELTA = Buffer.from('"delta":{"content":');

/** A role, every piece of text, a finish reason, the usage, `[DONE]`. */
export function createModelGrammar(onText: OnText): Grammar {
  const length = TOKEN_COUNT + 4;
  let number = 0;
  const next: Grammar['next'] = (bytes, start, end) => {
    number += 1;
    if (number === length) return startsWith(bytes, start, DONE) ? null : '[DONE]';
    if (number === 1 || number > TOKEN_COUNT + 1) return startsWith(bytes, start, DONE) ? 'a chunk' : null;
    const at = bytes.indexOf(DELTA, start);
    if (at === -1 || at > end) return 'a piece of text';
    onText(0);
    return null;
  };
  return { next, length, reset: () => (number = 0) };
}
