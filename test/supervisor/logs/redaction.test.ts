// What is taken out of the log's texts: the request's own secrets and whatever looks like a token, wherever they stand, in little time.
import fc from 'fast-check';
import t from 'tap';
import { createRedaction } from '../../../supervisor/logs/redaction.ts';
import { makeAdminToken, makeToken } from '../../../supervisor/access/token_form.ts';

const RUNS = { seed: 20_260_105, numRuns: 500 };

t.test('a text without any is the same text', async (t) => {
  const text = 'nothing of the kind, oas_ nor oas_short_secret';
  t.equal(createRedaction(['a-secret'])(text), text);
  t.equal(createRedaction([])(''), '');
});

t.test('secrets go wherever they stand, and as often', async (t) => {
  const redact = createRedaction(['first-secret', 'second$1.*[secret']);
  t.equal(redact('first-secret'), '***');
  t.equal(redact('first-secretfirst-secret, Second$1.*[secret, second$1.*[secret!'), '***, Second$1.*[secret, ***!');
});

t.test('tokens go without being known', async (t) => {
  const redact = createRedaction([]);
  t.equal(redact(`mine is ${makeToken().token}, his ${makeAdminToken()}.`), 'mine is ***, his ***.');
});

t.test('short values go where they are words by themselves, so that no other word is garbled', async (t) => {
  const redact = createRedaction(['eu', 'true ', '', ' ', '12345']);
  t.equal(redact('eu: museum, euro, Zeus, _eu, eü; "eu"(eu).eu'), '***: museum, euro, Zeus, _eu, eü; "***"(***).***');
  t.equal(redact('true trues 12345 123456 12345'), '*** trues *** 123456 ***');
  t.equal(createRedaction(['123456'])('x123456789'), 'x***789');
  t.equal(createRedaction(['ab', 'b-cdefgh'])('ab-cdefgh'), '***', 'what a short one covers a longer one goes beyond');
});

t.test('a value goes without the white space around it, and as it stands in JSON', async (t) => {
  const redact = createRedaction(['\ta "quoted"\nvalue\n']);
  t.equal(redact('x a "quoted"\nvalue y'), 'x *** y');
  t.equal(redact(JSON.stringify({ key: 'a "quoted"\nvalue' })), '{"key":"***"}');
});

t.test('of values that overlap nothing is left', async (t) => {
  const redact = createRedaction(['abcdefgh', 'ghijklmn', 'cdefgh', 'abcdefghxyz']);
  t.equal(redact('-abcdefghijklmn-'), '-***-');
  t.equal(redact('-abcdefghxyz-'), '-***-');
});

t.test('a long value goes as far as it was quoted', async (t) => {
  const key = `-----BEGIN PRIVATE KEY-----\n${'0123456789abcdefghijklmnopqrstuvwxyz'.repeat(20)}`;
  const redact = createRedaction([key]);
  t.equal(redact(`<${key}>`), '<***>');
  t.equal(redact(`<${key.slice(0, 300)}…>`), '<***…>');
  t.equal(redact(`<${key}${key}>`), '<***>');
});

t.test('whatever the values and the text, none of the values is left, and nothing else is missing', async (t) => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 6, maxLength: 10 });
  const text = fc.array(fc.oneof(letters, fc.string()), { maxLength: 12 }).map((parts) => parts.join('|'));
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 4 }), text, (secrets, given) => {
      const redacted = createRedaction(secrets)(given);
      t.notOk(secrets.some((secret) => redacted.includes(secret)));
      // What is left between the stars stood there, in the same order.
      let at = 0;
      for (const part of redacted.split('***')) {
        const found = given.indexOf(part, at);
        t.not(found, -1);
        at = found + part.length;
      }
    }),
    RUNS,
  );
});

t.test('of values that all agree with all of a long text, together they take no longer than a few of one alone', async (t) => {
  const text = 'a'.repeat(8 * 1024 * 1024);
  const took = (secrets: readonly string[]): number => {
    const began = performance.now();
    t.match(createRedaction(secrets)(text), /^\*{3}a{0,5}$/);
    return performance.now() - began;
  };
  const many = Array.from({ length: 20 }, (_, index) => 'a'.repeat(6 + index));
  // It was twenty times as long, and more: as the machine may be busy, one good try of a few is enough.
  const tries = Array.from({ length: 4 }, () => took(many) / took(['aaaaaa']));
  t.ok(Math.min(...tries) < 5, tries.map((ratio) => ratio.toFixed(1)).join(' '));
});

t.test('of a text that is full of a value nothing is left behind where that gets to be too much', async (t) => {
  const redacted = createRedaction(['secret'])(`begin ${'secret|'.repeat(200_000)} end`);
  t.notMatch(redacted, /secret|end/);
  t.match(redacted, /^begin \*\*\*\|/);
  t.ok(redacted.length < 500_000);
});

t.test('no text and value make it slow', async (t) => {
  const length = 1024 * 1024;
  const a = 'a'.repeat(8191);
  const hostile: readonly (readonly [secrets: readonly string[], text: string])[] = [
    [[`b${a}`], 'a'.repeat(length)],
    [[`${a}b`], 'a'.repeat(length)],
    [[`${a.slice(0, 60)}bcd`], 'a'.repeat(length)],
    [[`${a.slice(0, 30)}b${a.slice(0, 30)}`], 'a'.repeat(length)],
    [[`${a.slice(0, 64)}b`], `${a.slice(0, 64)}c`.repeat(length / 65)],
    [['aaaaaa'], 'aaaaaab'.repeat(length / 7)],
    [[], 'oas_'.repeat(length / 4)],
    [[], `oas_${'a'.repeat(64)}_${'a'.repeat(15)}-`.repeat(length / 85)],
    [['a'], 'a '.repeat(length / 2)],
    [Array.from({ length: 50 }, (_, i) => `${'a'.repeat(i + 6)}b`), 'a'.repeat(length)],
  ];
  for (const [secrets, text] of hostile) {
    const began = performance.now();
    createRedaction(secrets)(text);
    t.ok(performance.now() - began < 2000, `${secrets[0]?.slice(0, 20)} in ${text.slice(0, 20)}: ${Math.round(performance.now() - began)} ms`);
  }
});
