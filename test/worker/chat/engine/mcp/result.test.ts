// What a tool of an MCP server answered, as text.
import type { CallToolResult } from '@modelcontextprotocol/client';
import t from 'tap';
import { textOfResult } from '../../../../../worker/chat/engine/mcp/result.ts';

const text = (of: string) => ({ type: 'text', text: of }) as const;

t.test('parts are joined by lines; what is no text is told by its kind and size', async (t) => {
  const data = Buffer.from('1234').toString('base64');
  const content: CallToolResult['content'] = [
    text('first'),
    { type: 'image', mimeType: 'image/png', data },
    { type: 'audio', mimeType: 'audio/wav', data },
    { type: 'resource', resource: { uri: 'demo://a', mimeType: 'text/plain', text: 'in it' } },
    { type: 'resource', resource: { uri: 'demo://b', blob: data } },
    { type: 'resource_link', uri: 'demo://c', name: 'c', description: 'the third' },
    text('last'),
  ];
  t.equal(
    textOfResult({ content }),
    'first\n[image: image/png, 4 bytes]\n[audio: audio/wav, 4 bytes]\nin it\n[resource: demo://b, unknown type, 4 bytes]\n[resource: demo://c, the third]\nlast',
  );
});

t.test('structured content counts where there is nothing else', async (t) => {
  t.equal(textOfResult({ content: [], structuredContent: { degrees: 21 } }), '{"degrees":21}');
  t.equal(textOfResult({ content: [text('21 degrees')], structuredContent: { degrees: 21 } }), '21 degrees');
  t.equal(textOfResult({ content: [] }), '');
});

t.test('a failure is an error with the words of the server', async (t) => {
  t.throws(() => textOfResult({ content: [text('no such file')], isError: true }), { message: 'no such file' });
  t.throws(() => textOfResult({ content: [], isError: true }), { message: 'The tool failed and said no more.' });
});

t.test('it is cut at 1 MiB, and says so', async (t) => {
  const limit = 1024 * 1024;
  t.equal(textOfResult({ content: [text('x'.repeat(limit))] }).length, limit);
  const long = textOfResult({ content: [text('x'.repeat(limit + 5))] });
  t.equal(long.slice(limit), '\n[cut: 5 more characters]');
});
