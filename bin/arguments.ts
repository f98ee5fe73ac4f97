// The words of the command line, so written that cac can change none of them: it turns `010` into 8, `1e3` into 1000 and knows no lists.
import { MODES, SERVE_OPTIONS } from '../shared/config.ts';
import { SCOPES } from '../supervisor/access/scopes.ts';
import { UsageError } from './failure.ts';
import { MANAGE_COMMANDS, MANAGE_OPTIONS } from './manage/option_table.ts';
import { TOKEN_OPTIONS } from './tokens/option_table.ts';

/** Put before every value: no argument can hold a NUL, and a word that begins with one is neither a number nor an option. */
const MARK = '\0';

/** The options of a command. */
interface Vocabulary {
  /** Every spelling of an option that takes a value → the one that cac is given. */
  readonly values: ReadonlyMap<string, string>;
  readonly switches: ReadonlySet<string>;
  /** An option that takes all words after it that it knows → these words. */
  readonly lists: ReadonlyMap<string, readonly string[]>;
}

const SWITCHES = ['-h', '--help', '-v', '--version'];

function vocabularyOf(flags: readonly string[], lists: Readonly<Record<string, readonly string[]>>): Vocabulary {
  const spellings = flags.map((flag) => ({ spelled: flag.match(/--?[a-z][a-z-]*/g) ?? [], takesValue: flag.includes('<') }));
  const withValue = spellings
    .filter(({ takesValue }) => takesValue)
    .flatMap(({ spelled }) => spelled.map((each) => [each, spelled.at(-1) ?? each] as const));
  const switches = spellings.filter(({ takesValue }) => !takesValue).flatMap(({ spelled }) => spelled);
  return { values: new Map(withValue), switches: new Set([...SWITCHES, ...switches]), lists: new Map(Object.entries(lists)) };
}

const OF_SERVE = vocabularyOf(Object.values(SERVE_OPTIONS).map(({ flag }) => flag), { '--allowed-modes': MODES });
const OF_TOKENS = vocabularyOf(Object.values(TOKEN_OPTIONS).map(({ flag }) => flag), { '--scopes': SCOPES });
const OF_COMMANDS: ReadonlyMap<string | undefined, Vocabulary> = new Map([
  ['tokens', OF_TOKENS],
  ['chat', vocabularyOf(Object.values(MANAGE_OPTIONS).map(({ flag }) => flag), {})],
  ...Object.entries(MANAGE_COMMANDS).map(([name, { options }]) => [name, vocabularyOf(options.map(({ flag }) => flag), {})] as const),
]);

/**
 * The same words for cac: names first, then options, every value marked and joined to its option.
 * @throws UsageError for an unknown option, one without its value or given twice, and a mode or scope that there is not
 */
export function markValues(words: readonly string[]): string[] {
  const vocabulary = OF_COMMANDS.get(words[0]) ?? OF_SERVE;
  const names: string[] = [];
  const options = new Map<string, string>();
  const lists = new Map<string, string[]>();
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      names.push(...rest.splice(0).map((name) => MARK + name));
    } else if (!word.startsWith('-')) {
      names.push(word);
    } else if (vocabulary.switches.has(word)) {
      options.set(word, word);
    } else {
      const { option, value } = splitOption(word, vocabulary);
      const known = vocabulary.lists.get(option);
      if (known !== undefined) lists.set(option, [...(lists.get(option) ?? []), ...takeList(option, known, value, rest)]);
      else if (options.has(option)) throw new UsageError(`${option}: expected once, it was given twice`);
      else options.set(option, `${option}=${MARK}${value ?? takeValue(option, rest)}`);
    }
  }
  for (const [option, taken] of lists) options.set(option, `${option}=${MARK}${taken.join(',')}`);
  return [...names, ...options.values()];
}

/** A word as the user typed it. */
export function unmark(word: string): string {
  return word.startsWith(MARK) ? word.slice(MARK.length) : word;
}

function splitOption(word: string, { values, switches }: Vocabulary): { option: string; value: string | undefined } {
  const equals = word.indexOf('=');
  const spelling = equals === -1 ? word : word.slice(0, equals);
  const option = values.get(spelling);
  if (option === undefined) {
    const known = [...values.values(), ...switches].filter((each) => each.startsWith('--'));
    throw new UsageError(`unknown option ${spelling}: expected one of ${[...new Set(known)].join(', ')}`);
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

/** The words after an option that takes a list: at least one, then as many as it knows. */
function takeList(option: string, known: readonly string[], inline: string | undefined, rest: string[]): string[] {
  const areKnown = (words: readonly string[]): boolean => words.length > 0 && words.every((word) => known.includes(word));
  const first = inline ?? rest.shift() ?? '';
  const taken = splitList(first);
  if (!areKnown(taken)) throw new UsageError(`${option}: expected words of ${known.join(', ')}, got ${JSON.stringify(first)}`);
  for (let next = splitList(rest[0]); areKnown(next); next = splitList(rest[0])) {
    taken.push(...next);
    rest.shift();
  }
  return taken;
}

function splitList(word: string | undefined): string[] {
  return (word ?? '').split(',').filter((part) => part !== '');
}
