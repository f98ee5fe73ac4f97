// The words of the command line, so written that cac can change none of them: it turns `010` into 8, `1e3` into 1000 and knows no lists.
import { MODES, SERVE_OPTIONS } from '../shared/config.ts';
import { UsageError } from './failure.ts';

/** Put before every value: no argument can hold a NUL, and a word that begins with one is neither a number nor an option. */
const MARK = '\0';

const ALLOWED_MODES = '--allowed-modes';
const SWITCHES: ReadonlySet<string> = new Set(['-h', '--help', '-v', '--version']);

/** Every spelling of an option that takes a value → the one that cac is given. */
const OPTIONS: ReadonlyMap<string, string> = new Map(
  Object.values(SERVE_OPTIONS).flatMap(({ flag }) => {
    const spellings = flag.match(/--?[a-z][a-z-]*/g) ?? [];
    return spellings.map((spelling) => [spelling, spellings.at(-1) ?? spelling] as const);
  }),
);

/**
 * The same words for cac: names first, then options, every value marked and joined to its option.
 * @throws UsageError for an unknown option, one without its value or given twice, and a mode that there is not
 */
export function markValues(words: readonly string[]): string[] {
  const names: string[] = [];
  const options = new Map<string, string>();
  const modes: string[] = [];
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      names.push(...rest.splice(0).map((name) => MARK + name));
    } else if (!word.startsWith('-')) {
      names.push(word);
    } else if (SWITCHES.has(word)) {
      options.set(word, word);
    } else {
      const { option, value } = splitOption(word);
      if (option === ALLOWED_MODES) modes.push(...takeModes(value, rest));
      else if (options.has(option)) throw new UsageError(`${option}: expected once, it was given twice`);
      else options.set(option, `${option}=${MARK}${value ?? takeValue(option, rest)}`);
    }
  }
  if (modes.length > 0) options.set(ALLOWED_MODES, `${ALLOWED_MODES}=${MARK}${modes.join(',')}`);
  return [...names, ...options.values()];
}

/** A word as the user typed it. */
export function unmark(word: string): string {
  return word.startsWith(MARK) ? word.slice(MARK.length) : word;
}

function splitOption(word: string): { option: string; value: string | undefined } {
  const equals = word.indexOf('=');
  const spelling = equals === -1 ? word : word.slice(0, equals);
  const option = OPTIONS.get(spelling);
  if (option === undefined) {
    throw new UsageError(`unknown option ${spelling}: expected one of ${[...new Set(OPTIONS.values()), '--help', '--version'].join(', ')}`);
  }
  return { option, value: equals === -1 ? undefined : word.slice(equals + 1) };
}

/** The word after an option, unless it is another option; `-1` is a value, though never one that is taken. */
function takeValue(option: string, rest: string[]): string {
  const next = rest[0];
  if (next === undefined || (next.startsWith('-') && !/^-[\d.]/.test(next))) throw new UsageError(`${option}: expected a value`);
  rest.shift();
  return next;
}

/** The modes after `--allowed-modes`: at least one, then as many words as are modes. */
function takeModes(inline: string | undefined, rest: string[]): string[] {
  const first = inline ?? rest.shift() ?? '';
  const modes = splitModes(first);
  if (!areModes(modes)) throw new UsageError(`${ALLOWED_MODES}: expected words of ${MODES.join(', ')}, got ${JSON.stringify(first)}`);
  for (let next = splitModes(rest[0]); areModes(next); next = splitModes(rest[0])) {
    modes.push(...next);
    rest.shift();
  }
  return modes;
}

function splitModes(word: string | undefined): string[] {
  return (word ?? '').split(',').filter((part) => part !== '');
}

function areModes(words: readonly string[]): boolean {
  return words.length > 0 && words.every((word) => (MODES as readonly string[]).includes(word));
}
