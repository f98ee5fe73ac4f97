// The credential of a request: one, from one of four fields, and never a guess.
import t from 'tap';
import { credentialOf } from '../../../supervisor/access/credential.ts';

const NAMES = ['Authorization', 'X-Api-Key', 'api-token', 'API_TOKEN'];
const valueIn = (name: string, token: string): string => (name === 'Authorization' ? `Bearer ${token}` : token);

t.test('each of the four fields brings one, whatever the case of its name', async (t) => {
  for (const name of NAMES) {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      t.equal(credentialOf(['Host', 'a', spelled, valueIn(name, 'oas_a_b')]), 'oas_a_b', spelled);
    }
  }
  t.equal(credentialOf(['authorization', 'bearer  oas_a_b']), 'oas_a_b');
});

t.test('what is no Bearer token is a credential that cannot be one', async (t) => {
  for (const value of [
    '', 'Bearer', 'Bearer ', 'oas_a_b', 'Basic b2FzX2FfYg==', 'Bearer a b', 'Bearer\toas_a_b', 'Digest x="y"', 'XBearer a', 'Bearer a, Bearer b',
  ]) {
    t.equal(credentialOf(['Authorization', value]), '', JSON.stringify(value));
  }
  t.equal(credentialOf(['X-Api-Key', '']), '', 'an empty one is one');
});

t.test('any two are refused: of one field or of two, alike or not', async (t) => {
  for (const first of NAMES) {
    for (const second of NAMES) {
      for (const token of ['one', 'two', '']) {
        t.throws(() => credentialOf([first, valueIn(first, 'one'), 'Host', 'a', second, valueIn(second, token)]), { code: 'DUPLICATE_CREDENTIALS' });
      }
    }
  }
});

t.test('other fields bring none', async (t) => {
  t.equal(credentialOf([]), null);
  const others = ['Host', 'Cookie', 'X-Authorization', 'Proxy-Authorization', 'token', 'api token', 'x_api_key', 'apitoken'];
  t.equal(credentialOf(others.flatMap((name) => [name, 'Bearer oas_a_b'])), null);
});
