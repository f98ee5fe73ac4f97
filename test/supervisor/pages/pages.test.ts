// The pages for people: the links, and Swagger UI without a network.
import t from 'tap';
import { send } from '../../helpers/http_client.ts';
import { endsCleanly, serve } from '../../helpers/serve.ts';

const server = await serve(t, 'quiet');
const { url } = server;
const BROWSER = { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } };

/** What a page loads or links to, as it stands there. */
const addressesIn = (html: string): string[] => [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address = '']) => address);

t.test('/ is JSON of links to a program', async (t) => {
  for (const accept of [undefined, '*/*', 'application/json']) {
    const { status, headers, json } = await send(url, '/', accept === undefined ? {} : { headers: { accept } });
    t.equal(status, 200);
    t.equal(headers['content-type'], 'application/json');
    t.strictSame(Object.keys(json), ['name', 'version', 'agent', 'links']);
    t.match(json, { name: 'OAI Agent Server', agent: 'quiet', version: /^\d+\.\d+\.\d+/, links: { 'POST /chat': /./, 'GET /docs': /./ } });
  }
});

t.test('/ is a page to a browser, with links that hold behind a prefix', async (t) => {
  const { headers, text } = await send(url, '/', BROWSER);
  t.match(headers['content-type'], 'text/html; charset=utf-8');
  t.match(text, /^<!doctype html>/);
  for (const address of addressesIn(text)) {
    t.notMatch(address, /^(\/|https?:)/, address);
    if (!address.startsWith('data:')) t.not((await send(url, `/${address}`)).status, 404, address);
  }
});

t.test('/docs loads nothing but files of the server', async (t) => {
  const { status, headers, text } = await send(url, '/docs');
  t.equal(status, 200);
  t.match(headers['content-type'], 'text/html; charset=utf-8');
  const files = addressesIn(text).filter((address) => !address.startsWith('data:'));
  t.strictSame(files.toSorted(), ['docs/docs.js', 'docs/page.css', 'docs/swagger-ui-bundle.js', 'docs/swagger-ui.css']);
  for (const file of files) {
    const answer = await send(url, `/${file}`);
    t.equal(answer.status, 200, file);
    t.match(answer.headers['content-type'], file.endsWith('.js') ? 'text/javascript' : 'text/css');
    t.equal(answer.headers['x-content-type-options'], 'nosniff');
    t.ok(answer.text.length > 0);
  }
  t.match((await send(url, '/docs/docs.js')).text, 'openapi.json');
});

t.test('a policy keeps scripts and connections to the server itself', async (t) => {
  for (const path of ['/', '/docs']) {
    const { headers, text } = await send(url, path, BROWSER);
    const policy = new Map(
      String(headers['content-security-policy']).split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1).join(' ')]),
    );
    t.match(Object.fromEntries(policy), {
      'default-src': "'none'", 'script-src': "'self'", 'style-src': "'self'", 'connect-src': "'self'", 'base-uri': "'none'",
      'form-action': "'none'", 'frame-ancestors': "'none'",
    });
    t.equal(headers['referrer-policy'], 'no-referrer');
    t.notMatch(text, /<script>|<style|\son\w+=|style="/, 'nothing inline, which the policy would not run');
  }
});

t.test('nothing of the request stands in a page', async (t) => {
  const { text } = await send(url, '/?q=<script>alert(1)</script>', { headers: { accept: 'text/html', host: 'localhost', 'x-request-id': '<b>' } });
  t.notMatch(text, 'alert(1)');
});

endsCleanly(t, server);
