// /openapi.json is what the route table and the table of errors are, both ways.
import t from 'tap';
import { ERRORS } from '../../shared/errors.ts';
import { chat, send, type Json } from '../helpers/http_client.ts';
import { endsCleanly, serve } from '../helpers/serve.ts';

interface Operation extends Json {
  readonly summary: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly security?: readonly object[];
  readonly 'x-scope'?: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Readonly<Record<string, Json>> }>>;
}

const server = await serve(t, 'quiet');
const { url } = server;
const document = (await send(url, '/openapi.json')).json as Json & {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: { readonly Problem: { readonly description: string } } };
};
const operations = Object.entries(document.paths).flatMap(
  ([path, item]) => Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
);

/** Routes of the contract, by path, with the scope that each asks for. */
const ROUTES: Readonly<Record<string, string>> = {
  'post /chat': 'chat',
  'post /chat/with-files': 'chat',
  'post /chat/stream': 'chat',
  'post /chat/stream/with-files': 'chat',
  'get /chat/{interaction_id}': 'chat',
  'get /chat/{interaction_id}/stream': 'chat',
  'post /chat/{interaction_id}/cancel': 'chat',
  'get /chat/sessions/{session_id}': 'chat',
  'delete /chat/sessions/{session_id}': 'chat',
  'get /agent/info': 'agent',
  'get /prompts': 'agent',
  'post /agent/initialize': 'admin',
  'post /restart': 'admin',
  'post /kill': 'admin',
  'get /logs': 'logs',
  'get /logs/sessions/{session_id}': 'logs',
  'get /logs/interactions/{interaction_id}': 'logs',
  'get /logs/stats': 'logs',
  'get /logs/stats/users': 'logs',
  'post /tokens': 'admin',
  'get /tokens': 'admin',
  'delete /tokens/{token_id}': 'admin',
  'get /status': 'agent',
  'get /metrics': 'agent',
  'get /health': 'open',
  'get /ready': 'open',
  'get /': 'open',
  'get /docs': 'open',
  'get /openapi.json': 'open',
};

/** Values for the parameters of paths. */
const EXAMPLES: Readonly<Record<string, string>> = { interaction_id: '11111111-2222-4333-8444-555555555555', session_id: 'one', token_id: 'one', file: 'docs.js' };

t.test('the document is one of OpenAPI 3.1', async (t) => {
  t.strictSame(Object.keys(document), ['openapi', 'info', 'servers', 'paths', 'components']);
  t.match(document, { openapi: /^3\.1\.\d$/, info: { title: /quiet/, version: /^\d/ }, servers: [{ url: '.' }] });
  for (const { path, method, operation } of operations) {
    const name = `${method} ${path}`;
    t.match(operation, { summary: /./, tags: [/./], parameters: Array }, name);
    t.ok(Object.keys(operation.responses).every((status) => /^[2-5]\d\d$/.test(status)), name);
    t.ok(Object.values(operation.responses).every(({ description }) => description !== ''), name);
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
    t.strictSame(operation.parameters.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name), named, name);
  }
});

t.test('every reference leads somewhere', async (t) => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, pointer = '']) => pointer);
  t.ok(references.length > 0);
  for (const pointer of new Set(references)) {
    const target = pointer.split('/').reduce<unknown>((node, key) => (node as Json | undefined)?.[key], document);
    t.type(target, 'object', pointer);
  }
});

t.test('its routes are those of the contract, with their scopes, and the files of /docs', async (t) => {
  const described = operations.filter(({ path }) => !path.startsWith('/docs/'));
  t.strictSame(Object.fromEntries(described.map(({ path, method, operation }) => [`${method} ${path}`, operation['x-scope'] ?? 'open'])), ROUTES);
  for (const { operation } of operations) t.equal(operation.security === undefined, operation['x-scope'] === undefined);
});

t.test('every route that it describes is there', async (t) => {
  for (const { path, method } of operations) {
    const real = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => EXAMPLES[name] ?? '');
    t.match((await send(url, real, { method: 'OPTIONS' })).headers['allow'], method.toUpperCase(), `${method} ${path}`);
  }
});

t.test('every route that the server links to is described', async (t) => {
  const links = Object.keys((await send(url, '/')).json['links'] as object);
  const described = operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`);
  t.strictSame(links.filter((link) => !described.includes(link)), []);
  t.ok(links.length >= Object.keys(ROUTES).length - 1);
});

t.test('every code of the table is documented with its status, and no other', async (t) => {
  const table = [
    ...document.components.schemas.Problem.description.matchAll(/^\| ([A-Z_]+) \| (\d{3}) \| (.+) \|$/gm),
  ].map(([, code = '', status, message]) => [code, { status: Number(status), message }]);
  t.strictSame(
    Object.fromEntries(table),
    Object.fromEntries(Object.entries(ERRORS).map(([code, { status, message }]) => [code, { status, message }])),
  );
});

t.test('the codes at each route are those of the table, under their status', async (t) => {
  const used = new Set<string>();
  for (const { path, method, operation } of operations) {
    for (const [status, { description, content }] of Object.entries(operation.responses)) {
      if (content?.['application/problem+json'] === undefined) continue;
      for (const code of description.split(', ')) {
        used.add(code);
        t.equal(ERRORS[code as keyof typeof ERRORS]?.status, Number(status), `${method} ${path}: ${code}`);
      }
    }
  }
  /** Told where no route is known yet. */
  const beforeRoutes = ['REQUEST_TIMEOUT', 'HEADERS_TOO_LARGE'];
  t.strictSame(Object.keys(ERRORS).filter((code) => !used.has(code) && !beforeRoutes.includes(code)), []);
});

t.test('real answers are as they are described', async (t) => {
  const schemaOf = (
    path: string,
    status: string,
  ) => document.paths[path]?.['post']?.responses[status]?.content?.['application/json']?.['schema'] as { required: string[] };
  const { json } = await chat(url, { message: 'hi' });
  t.strictSame(Object.keys(json).toSorted(), schemaOf('/chat', '200').required.toSorted());
  const body = document.paths['/chat']?.['post']?.requestBody?.content['application/json']?.schema as { properties: object; required: string[] };
  const fields = ['message', 'session_id', 'user_id', 'interaction_id', 'verbose', 'env', 'on_disconnect', 'disconnect_grace_ms'];
  t.strictSame(Object.keys(body.properties).filter((field) => field !== 'files'), fields);
  t.strictSame(body.required, ['message']);
});

t.test('a form has the fields of the JSON body, and files', async (t) => {
  const content = (path: string) => document.paths[path]?.['post']?.requestBody?.content ?? {};
  for (const path of ['/chat', '/chat/stream']) {
    t.strictSame(Object.keys(content(`${path}/with-files`)), ['multipart/form-data']);
    const propertiesOf = (schema: Json = {}) => (schema['properties'] ?? {}) as Record<string, Json>;
    const { files, ...fields } = propertiesOf(content(`${path}/with-files`)['multipart/form-data']?.schema);
    const { files: _none, ...keys } = propertiesOf(content(path)['application/json']?.schema);
    t.strictSame(fields, keys);
    t.match(files, { type: 'array', maxItems: 10, items: { type: 'string', format: 'binary' } });
  }
});

endsCleanly(t, server);
