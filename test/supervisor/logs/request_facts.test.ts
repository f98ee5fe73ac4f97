// What the log keeps of a request's head: an allow-list, cut and without secrets.
import t from 'tap';
import { makeToken } from '../../../supervisor/access/token_form.ts';
import { readRequestFacts } from '../../../supervisor/logs/request_facts.ts';

const headersOf = (rawHeaders: readonly string[], env: Record<string, string> = {}) => readRequestFacts(rawHeaders, '/chat', env).headers;

t.test('fields of the list are kept by their names in lower case, the first of each', async (t) => {
  const { headers, endpoint } = readRequestFacts(['User-Agent', 'curl/8', 'ACCEPT', '*/*', 'accept', 'text/html', 'Content-Length', '17'], '/chat/stream', {});
  t.strictSame(headers, { 'user-agent': 'curl/8', accept: '*/*', 'content-length': '17' });
  t.equal(endpoint, '/chat/stream');
});

t.test('credentials, addresses, cookies and unknown names are not', async (t) => {
  const refused = [
    'Authorization', 'Proxy-Authorization', 'X-API-Key', 'api-token', 'api_token', 'Cookie', 'Forwarded', 'X-Forwarded-For', 'X-Real-IP', 'CF-Connecting-IP',
    'Via', 'GITHUB_TOKEN', 'X-Anything', 'X-CSRF-Token', '__proto__', 'tracestate',
  ];
  t.strictSame(headersOf(refused.flatMap((name) => [name, 'some value'])), {});
});

t.test('a value is cut', async (t) => {
  t.equal(headersOf(['user-agent', 'x'.repeat(10_000)])['user-agent'], 'x'.repeat(1024));
});

t.test('of a referer the page is kept, without query, fragment and password', async (t) => {
  const of = (referer: string) => headersOf(['referer', referer])['referer'];
  t.equal(of('https://me:secret@shop.example:8443/a/b?token=x#y'), 'https://shop.example:8443/a/b');
  for (const none of ['no address', 'javascript:alert(1)', 'about:client', '//x', '']) t.equal(of(none), undefined, none);
});

t.test('what the request has of secrets stands in no field and in no text', async (t) => {
  const { token } = makeToken();
  const raw = ['authorization', `Bearer ${token}`, 'x-api-key', 'another-kind-of-key', 'user-agent', 'agent another-kind-of-key ghp_0123456789', 'origin', token];
  const { headers, redact } = readRequestFacts(raw, '/chat', { GITHUB_TOKEN: 'ghp_0123456789' });
  t.strictSame(headers, { 'user-agent': 'agent *** ***', origin: '***' });
  t.equal(redact(`${token} another-kind-of-key ghp_0123456789 Bearer ${token}`), '*** *** *** ***');
});

t.test('what the server has of secrets stands in no text either', async (t) => {
  const { headers, redact, redactId } = readRequestFacts(['user-agent', 'uses sk-of-the-server'], '/chat', {}, ['sk-of-the-server', 'hush']);
  t.strictSame(headers, { 'user-agent': 'uses ***' });
  t.strictSame([redact('sk-of-the-server, hush! hushed'), redactId('sk-of-the-server')], ['***, ***! hushed', '***']);
});

t.test('a secret that would be cut in two is gone before', async (t) => {
  const value = `${'x'.repeat(1020)}ghp_0123456789`;
  t.equal(headersOf(['user-agent', value], { TOKEN: 'ghp_0123456789' })['user-agent'], `${'x'.repeat(1020)}***`);
});

t.test('a credential of another scheme is one too', async (t) => {
  const { redact } = readRequestFacts(['Authorization', 'Basic dXNlcjpwYXNz'], '/chat', {});
  t.equal(redact('it was dXNlcjpwYXNz'), 'it was ***');
});
