// The answer that the model gives in every measurement: 64 pieces of text, known to all the processes of the bench.

const WORDS = 'the quick brown fox jumps over the lazy dog while seven wizards quietly box up their queer jars '.repeat(4).split(' ');

/** What every request asks. */
export const QUESTION = 'Say the sentence.';

/** Pieces of text in one answer. */
export const TOKEN_COUNT = 64;

export const TOKENS: readonly string[] = WORDS.slice(0, TOKEN_COUNT).map((word, index) => (index === 0 ? word : ` ${word}`));

/** The answer at full pace; a paced answer is made of time stamps instead (see `stampToken`). */
export const ANSWER = TOKENS.join('');

/** Time between two tokens of a paced answer. */
export const TOKEN_INTERVAL_MS = 20;

export const USAGE = { input: 12, output: TOKEN_COUNT, total: 12 + TOKEN_COUNT } as const;

/** Marks a time stamp in a paced token; it occurs nowhere else in a stream. */
export const STAMP_MARK = '@';

/** Microseconds of the monotonic clock, which all processes of a machine share. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** A paced token says when it was sent, so that whoever receives it knows how late it is. */
export function stampToken(sentUs: number): string {
  return `${STAMP_MARK}${sentUs} `;
}
