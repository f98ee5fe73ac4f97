// How a token is written, and what is kept of it.
import { createHash } from 'node:crypto';
import t from 'tap';
import { digestOf, makeAdminToken, makeToken, tokenIdOf } from '../../../supervisor/access/token_form.ts';

const WORD = '[0-9A-Za-z]';

t.test('a token is oas_<id>_<secret>, of at least 128 random bits, and no two are alike', async (t) => {
  const made = Array.from({ length: 500 }, makeToken);
  for (const { id, token } of made) {
    const secret = new RegExp(`^oas_${id}_(${WORD}+)$`).exec(token)?.[1] ?? '';
    t.ok(secret.length * Math.log2(62) >= 128, token);
    t.equal(tokenIdOf(token), id);
  }
  t.equal(new Set(made.map(({ id }) => id)).size, 500);
  t.equal(new Set(made.map(({ token }) => token.split('_')[2])).size, 500);
  t.equal(new Set(made.map(({ token }) => token).join('')).size, new Set('oas_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz').size);
});

t.test('what is written otherwise has no id', async (t) => {
  const { token, id } = makeToken();
  const secret = token.split('_')[2] ?? '';
  for (const other of [
    '', 'oas_', 'oas_a_b', ` ${token}`, `${token} `, `${token}x`, token.slice(0, -1), token.toUpperCase(), `oas_${id}-${secret}`,
    `oas_${id}_${secret}\n`, makeAdminToken(), `oai_${id}_${secret}`, `oas__${secret}`, 'é'.repeat(53), 'x'.repeat(16_000),
  ]) t.equal(tokenIdOf(other), null, JSON.stringify(other.slice(0, 80)));
});

t.test('the admin token is found by whoever looks for leaked tokens, too', async (t) => {
  t.match(makeAdminToken(), new RegExp(`^oas_admin_${WORD}{32}$`));
});

t.test('the digest is SHA-256 of the whole token', async (t) => {
  t.strictSame(Buffer.from(digestOf('oas_a_b')), createHash('sha256').update('oas_a_b').digest());
});
