// What a whole answer is, for each kind of target: every answer is held against it, and the first deviation is told.
import { ANSWER } from '../answer.ts';
import { createChatGrammar } from './chat_grammar.ts';
import { createEventReader, type EventReader } from './event_reader.ts';
import { startsWith, type Grammar, type OnText } from './grammar.ts';
import type { Target } from './jobs.ts';
import { createModelGrammar } from './model_grammar.ts';

export interface Check {
  readonly status: (status: number) => void;
  readonly body: (bytes: Buffer) => void;
  /** Ends the answer and makes ready for the next: null if it was whole, else what was wrong with it. */
  readonly finish: () => string | null;
}

/** A check for the answers of one connection. `paced`: the text is made of time stamps. */
export function createCheck(kind: Target['kind'], paced: boolean, onText: OnText): Check {
  if (kind === 'chat') return createJsonCheck();
  return createStreamCheck(kind === 'stream' ? createChatGrammar(paced, onText) : createModelGrammar(onText));
}

const EXCERPT_BYTES = 200;

function createStreamCheck(grammar: Grammar): Check {
  let status = 0;
  let count = 0;
  let wrong: string | null = null;
  const onEvent = (bytes: Buffer, start: number, end: number) => {
    const expected = grammar.next(bytes, start, end);
    count += 1;
    if (expected === null || wrong !== null) return;
    wrong = `event ${count}: expected ${expected}, got ${bytes.toString('utf8', start, Math.min(end, start + EXCERPT_BYTES))}`;
  };
  const events: EventReader = createEventReader(onEvent);
  return {
    status: (code) => (status = code),
    body: events.push,
    finish: () => {
      if (status !== 200) wrong = `status ${status}`;
      else if (wrong === null && count !== grammar.length) wrong = `${count} events instead of ${grammar.length}`;
      else if (wrong === null && events.unfinished() > 0) wrong = 'an event without its end';
      const verdict = wrong;
      wrong = null;
      count = 0;
      grammar.reset();
      return verdict;
    },
  };
}

const RESPONSE = Buffer.from(`{"response":${JSON.stringify(ANSWER)},`);

function createJsonCheck(): Check {
  const pieces: Buffer[] = [];
  let status = 0;
  return {
    status: (code) => (status = code),
    // A copy: what the socket hands over is valid during the call only.
    body: (bytes) => pieces.push(Buffer.from(bytes)),
    finish: () => {
      const body = Buffer.concat(pieces.splice(0));
      const excerpt = body.toString('utf8', 0, EXCERPT_BYTES);
      if (status !== 200) return `status ${status}: ${excerpt}`;
      return startsWith(body, 0, RESPONSE) ? null : `expected the whole text, got ${excerpt}`;
    },
  };
}
