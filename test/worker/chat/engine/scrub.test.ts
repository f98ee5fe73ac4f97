import t from 'tap';
import { scrub, secretsOf } from '../../../../worker/chat/engine/scrub.ts';

t.test('the key and the variables of the request are secrets, short ones are not', async (t) => {
  const env = { OPENAI_API_KEY: 'sk-123456', TENANT: 'eu', TOKEN: 'token-1', LONGER: 'token-1-and-more', OTHER: 'not of the request' };
  t.same(secretsOf(env, ['TENANT', 'TOKEN', 'LONGER', 'ABSENT']), ['token-1-and-more', 'sk-123456', 'token-1']);
});

t.test('secrets go whole, also where one contains another', async (t) => {
  t.equal(scrub('a token-1-and-more and token-1', ['token-1-and-more', 'token-1'], 100), 'a *** and ***');
});

t.test('credentials in URLs, line breaks and terminal controls go', async (t) => {
  t.equal(scrub('see https://user:pass@host/x\n\u001b[31mred\u202e', [], 100), 'see https://***@host/x [31mred');
});

t.test('long words are cut between characters', async (t) => {
  t.equal(scrub('x'.repeat(10), [], 5), 'xxxx…');
  t.equal(scrub('xxx🎉🎉', [], 5), 'xxx…');
});
