// Takes out of a text what must not be kept: credentials and variables of the request that it belongs to, and whatever is written as a token is.

/** Takes it out; the text itself where there is nothing. */
export type Redaction = (text: string) => string;

const REPLACEMENT = '***';
/** Shorter values may be words like `eu` or `true`: only as words by themselves are they taken out, so that no other word is garbled. */
const SHORTEST_ANYWHERE = 6;
/** Of a word. */
const LETTER = /[\p{L}\p{N}_]/u;
const ASCII: readonly boolean[] = Array.from({ length: 128 }, (_, code) => LETTER.test(String.fromCharCode(code)));
/**
 * A secret is searched for by its beginning, and taken out as far as it agrees: so that one that was cut goes too, and so that no text and value can
 * be made whose search takes more than a few passes (V8 searches for up to 250 characters by Boyer and Moore's tables, for longer ones without).
 */
const SEARCHED_LENGTH = 64;
/** As token_form.ts makes them, the admin token's included; of any length, as they may be another version's. */
const TOKEN = /oas_[0-9A-Za-z]{1,64}_[0-9A-Za-z]{16,}/g;

/** Found so often, a secret is most of its text, which is somebody's who makes the server work: the rest of it goes as a whole. */
const MOST_RANGES = 50_000;

/** Pairs of where one begins and where it ends, in order; none touches the next. */
type Ranges = number[];

/** @param secrets as they were sent; each may stand in a text as it is, without the white space around it, or as in a JSON string */
export function createRedaction(secrets: readonly string[]): Redaction {
  // The shortest first: what it covers is passed over when longer ones are searched for.
  const searched = [...new Set(secrets.flatMap(writtenForms))].filter((secret) => secret !== '').toSorted((a, b) => a.length - b.length);
  return (text) => {
    let ranges: Ranges = [];
    for (const { 0: token, index } of text.matchAll(TOKEN)) add(ranges, index, index + token.length);
    for (const secret of searched) ranges = union(ranges, found(text, secret, ranges));
    return ranges.length === 0 ? text : withoutRanges(text, ranges);
  };
}

function writtenForms(secret: string): readonly string[] {
  const trimmed = secret.trim();
  return [trimmed, JSON.stringify(trimmed).slice(1, -1)];
}

/**
 * Where the secret stands. One character is looked at once: what is found is passed over, and so is what others cover, up to where this one might reach
 * beyond it: of twenty values that all agree with all of a long text, one is searched for.
 */
function found(text: string, secret: string, covered: Ranges): Ranges {
  const ranges: Ranges = [];
  const beginning = secret.slice(0, SEARCHED_LENGTH);
  let next = 0;
  for (let from = text.indexOf(beginning); from !== -1;) {
    if (ranges.length > 2 * MOST_RANGES) {
      add(ranges, from, text.length);
      break;
    }
    while (next < covered.length && (covered[next + 1] as number) <= from) next += 2;
    const end = next < covered.length && (covered[next] as number) <= from ? (covered[next + 1] as number) : from;
    if (end >= from + secret.length) {
      from = text.indexOf(beginning, end - secret.length + 1);
      continue;
    }
    let length = beginning.length;
    while (length < secret.length && text.charCodeAt(from + length) === secret.charCodeAt(length)) length += 1;
    const isSecret = secret.length >= SHORTEST_ANYWHERE || isWord(text, from, from + length);
    if (isSecret) add(ranges, from, from + length);
    from = text.indexOf(beginning, isSecret ? from + length : from + 1);
  }
  return ranges;
}

function isWord(text: string, from: number, to: number): boolean {
  return !isLetter(text, from - 1) && !isLetter(text, to);
}

function isLetter(text: string, index: number): boolean {
  // Most are, and a regular expression for each of millions would take seconds.
  const code = text.charCodeAt(index);
  return code < ASCII.length ? (ASCII[code] as boolean) : LETTER.test(text.charAt(index));
}

/** @param from not before the last one's */
function add(ranges: Ranges, from: number, to: number): void {
  const end = ranges.at(-1);
  if (end === undefined || end < from) ranges.push(from, to);
  else if (end < to) ranges[ranges.length - 1] = to;
}

/** Ranges that touch are taken out as one, so that of two secrets that overlap nothing is left. */
function union(a: Ranges, b: Ranges): Ranges {
  if (b.length === 0) return a;
  if (a.length === 0) return b;
  const both: Ranges = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const isFirst = j >= b.length || (i < a.length && (a[i] as number) <= (b[j] as number));
    if (isFirst) {
      add(both, a[i] as number, a[i + 1] as number);
      i += 2;
    } else {
      add(both, b[j] as number, b[j + 1] as number);
      j += 2;
    }
  }
  return both;
}

function withoutRanges(text: string, ranges: Ranges): string {
  const parts: string[] = [];
  let end = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    parts.push(text.slice(end, ranges[i]), REPLACEMENT);
    end = ranges[i + 1] as number;
  }
  parts.push(text.slice(end));
  return parts.join('');
}
