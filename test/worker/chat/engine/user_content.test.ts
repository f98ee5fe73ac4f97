import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import t from 'tap';
import type { UserPart } from '../../../../shared/chat.ts';
import { makeFolder } from '../../../helpers/folder.ts';
import { userContent } from '../../../../worker/chat/engine/user_content.ts';

async function file(folder: string, name: string, type: string, content: Buffer | string) {
  const path = join(folder, name);
  await writeFile(path, content);
  return { name, type, size: Buffer.byteLength(content), path };
}

t.test('a message without files stays a text', async (t) => {
  t.equal(await userContent('hi', []), 'hi');
});

t.test('images are shown, small texts are quoted, of all else the place is told', async (t) => {
  const folder = await makeFolder(t);
  const files = [
    await file(folder, 'a.png', 'image/png', 'PNG'),
    await file(folder, 'b.txt', 'text/plain', 'grüezi'),
    await file(folder, 'c.json', 'application/json', '{"a":1}'),
    await file(folder, 'd.bin', 'application/octet-stream', 'text all the same'),
    await file(folder, 'e.txt', 'text/plain', Buffer.from([0xff, 0xfe, 0x41])),
    await file(folder, 'f.txt', 'text/plain', 'x'.repeat(64 * 1024)),
    await file(folder, 'g.txt', 'text/plain', 'x'.repeat(64 * 1024 + 1)),
    await file(folder, 'h.svg', 'image/svg+xml', '<svg/>'),
    await file(folder, 'i.txt', 'text/plain', 'a\0b'),
  ];
  t.same(await userContent('Look:', files), [
    { type: 'input_text', text: 'Look:' },
    { type: 'input_text', text: '[file: a.png, image/png, 3 bytes]' },
    { type: 'input_image', image: 'data:image/png;base64,UE5H' },
    { type: 'input_text', text: '[file: b.txt, text/plain, 7 bytes]\ngrüezi\n[end of b.txt]' },
    { type: 'input_text', text: '[file: c.json, application/json, 7 bytes]\n{"a":1}\n[end of c.json]' },
    { type: 'input_text', text: `[file: d.bin, application/octet-stream, 17 bytes, at ${folder}/d.bin]` },
    { type: 'input_text', text: `[file: e.txt, text/plain, 3 bytes, at ${folder}/e.txt]` },
    { type: 'input_text', text: `[file: f.txt, text/plain, 65536 bytes]\n${'x'.repeat(65536)}\n[end of f.txt]` },
    { type: 'input_text', text: `[file: g.txt, text/plain, 65537 bytes, at ${folder}/g.txt]` },
    { type: 'input_text', text: '[file: h.svg, image/svg+xml, 6 bytes]\n<svg/>\n[end of h.svg]' },
    { type: 'input_text', text: `[file: i.txt, text/plain, 3 bytes, at ${folder}/i.txt]` },
  ]);
});

t.test('images that are too large together are not held in memory', async (t) => {
  const folder = await makeFolder(t);
  const half = Buffer.alloc(9 * 1024 * 1024);
  const files = [await file(folder, 'a.png', 'image/png', half), await file(folder, 'b.png', 'image/png', half)];
  const parts = (await userContent('Look:', files)) as readonly UserPart[];
  t.same(parts.map(({ type }) => type), ['input_text', 'input_text', 'input_image', 'input_text']);
  t.match(parts.at(-1), { text: /^\[file: b\.png, image\/png, 9437184 bytes, at / });
});

t.test('a file that is gone is an error', async (t) => {
  const folder = await makeFolder(t);
  await t.rejects(userContent('Look:', [{ name: 'a', type: 'image/png', size: 1, path: join(folder, 'a') }]), { code: 'ENOENT' });
});
