// The names under which a model knows the tools of an MCP server.
import fc from 'fast-check';
import t from 'tap';
import { toolNames } from '../../../../../worker/chat/engine/mcp/tool_names.ts';

const namesOf = (server: string, tools: readonly string[]) => [...toolNames(server, tools).values()];

t.test('a tool is named for its server', async (t) => {
  t.strictSame(namesOf('files', ['read_file', 'get-sum']), ['files__read_file', 'files__get-sum']);
});

t.test('what a name cannot have becomes _', async (t) => {
  t.strictSame(namesOf('web', ['search.the web', 'größe']), ['web__search_the_web', 'web__gr__e']);
});

t.test('tools whose names become one are told apart, and one that had the name keeps it', async (t) => {
  const names = namesOf('a', ['x.y', 'x_y', 'x y']);
  t.equal(names[1], 'a__x_y');
  t.match(names[0], /^a__x_y_[0-9a-f]{8}$/);
  t.match(names[2], /^a__x_y_[0-9a-f]{8}$/);
  t.not(names[0], names[2]);
});

t.test('a long name ends with a hash of its own, and is the same whatever stands beside it', async (t) => {
  const [first, second] = [`${'long'.repeat(20)}a`, `${'long'.repeat(20)}b`];
  const both = namesOf('server', [first, second]);
  t.ok(both.every((name) => name.length === 64));
  t.not(both[0], both[1]);
  t.strictSame(namesOf('server', [second]), [both[1]]);
});

t.test('whatever a server calls its tools, the names are valid and distinct', async () => {
  const tools = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 100 }), { maxLength: 40 });
  fc.assert(
    fc.property(tools, (given) => {
      const names = namesOf('server', given);
      return names.every((name) => /^server__[A-Za-z0-9_-]*$/.test(name) && name.length <= 64) && new Set(names).size === given.length;
    }),
  );
});
