// The stream of `POST /chat/stream`, as both servers have to send it.
import { ANSWER, STAMP_MARK, TOKEN_COUNT, TOKENS } from '../answer.ts';
import { DONE, startsWith, type Grammar, type OnText } from './grammar.ts';

const LF = 0x0a;
const EVENT_START = Buffer.from('data: {"content":{"type":"');
const KINDS = { start: Buffer.from('start"'), text: Buffer.from('text"'), output: Buffer.from('output"') };
const TEXTS = TOKENS.map((token) => Buffer.from(`text","content":${JSON.stringify(token)},`));
const OUTPUT = Buffer.from(`output","content":${JSON.stringify(ANSWER)},`);

/** `start`, every piece of text, `output`, numbered from 1; then `[DONE]` without a number. */
export function createChatGrammar(paced: boolean, onText: OnText): Grammar {
  // Of a paced answer the text is not known beforehand.
  const texts = paced ? [] : TEXTS;
  const output = paced ? KINDS.output : OUTPUT;
  const outputNumber = TOKEN_COUNT + 2;
  let number = 0;
  const next: Grammar['next'] = (bytes, start, end) => {
    number += 1;
    if (number > outputNumber) return startsWith(bytes, start, DONE) && end - start === DONE.length ? null : '[DONE]';
    const lineEnd = bytes.indexOf(LF, start);
    if (lineEnd === -1 || bytes.toString('latin1', start, lineEnd) !== `id: ${number}`) return `id: ${number}`;
    const kindAt = lineEnd + 1 + EVENT_START.length;
    if (!startsWith(bytes, lineEnd + 1, EVENT_START)) return 'an event of a chat';
    if (number === 1) return startsWith(bytes, kindAt, KINDS.start) ? null : 'start';
    if (number === outputNumber) return startsWith(bytes, kindAt, output) ? null : 'output with all of the text';
    if (!startsWith(bytes, kindAt, texts[number - 2] ?? KINDS.text)) return `piece ${number - 1} of the text`;
    onText(paced ? stampIn(bytes, kindAt) : 0);
    return null;
  };
  return { next, length: outputNumber + 1, reset: () => (number = 0) };
}

/** The time stamp of a paced piece of text. */
function stampIn(bytes: Buffer, from: number): number {
  let at = bytes.indexOf(STAMP_MARK, from) + 1;
  let stamp = 0;
  for (let byte = bytes[at] ?? 0; byte >= 0x30 && byte <= 0x39; byte = bytes[++at] ?? 0) stamp = stamp * 10 + byte - 0x30;
  return stamp;
}
