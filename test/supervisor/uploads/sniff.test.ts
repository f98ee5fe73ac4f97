// Media types of uploaded files: by their content, and among the kinds of text by the client's word.
import { deflateSync } from 'node:zlib';
import t from 'tap';
import { HEAD_BYTES, mediaTypeOf } from '../../../supervisor/uploads/sniff.ts';

const PNG = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0', 'latin1'), Buffer.from('\0\0\0\0\0\0\0\x0cIDAT', 'latin1'), deflateSync(Buffer.alloc(4))]);
const JPEG = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0]);
const whole = (content: string | Buffer, declared: string): Promise<string> => mediaTypeOf(Buffer.from(content), true, declared);

t.test('what is recognised is what it is, whatever is said of it', async (t) => {
  for (const declared of ['text/plain', 'image/jpeg', 'application/json', '', 'nonsense', 'image/png']) t.equal(await whole(PNG, declared), 'image/png', declared);
  t.equal(await whole(JPEG, 'text/html'), 'image/jpeg');
  t.equal(await whole('%PDF-1.7\n1 0 obj\n', 'text/plain'), 'application/pdf', 'also where its beginning is plain text');
  t.equal(await whole(Buffer.from('PK\x03\x04\x14\0\0\0\0\0', 'latin1'), 'image/png'), 'application/zip');
  t.equal(await whole('<?xml version="1.0"?><a/>', ''), 'application/xml');
  t.equal(await whole(Buffer.concat([Buffer.from('OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead', 'latin1'), Buffer.alloc(50)]), ''), 'audio/ogg', 'no parameters');
});

t.test('of a text the client\'s word counts, where it is a kind of text', async (t) => {
  for (const declared of ['text/markdown', 'text/html', 'text/csv', 'application/json', 'application/ld+json', 'application/yaml', 'application/x-yaml', 'application/xhtml+xml', 'application/javascript', 'application/x-sh']) {
    t.equal(await whole('some text: é', declared), declared);
  }
  for (const declared of [
    '', 'application/octet-stream', 'image/png', 'image/svg+xml', 'video/mp4', 'multipart/mixed', 'application/pdf', 'text', 'text/', 'text/a b', 'text/"x"',
    'text/plain; charset=utf-8', `text/${'x'.repeat(50)}`, 'text/é', '../text/plain', 'text/../plain', 'text/.x',
  ]) {
    t.equal(await whole('some text: é', declared), 'text/plain', declared);
  }
  t.equal(await whole('', 'application/json'), 'application/json', 'an empty file is a text');
});

t.test('pictures that are text are text', async (t) => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
  for (const content of [svg, `<?xml version="1.0"?>${svg}`, `<!DOCTYPE html><html>${svg}</html>`, `\n\n${svg}`]) {
    for (const declared of ['image/svg+xml', 'image/png', 'text/html', '']) t.notMatch(await whole(content, declared), /^image/, declared);
  }
});

t.test('a text that begins as a binary format does is a text', async (t) => {
  for (const text of ['BMW is a maker of cars.', 'MZ is the signature of executables.', 'GIF89a is not the beginning of a picture here.', 'solid state physics', 'ID3 tags', 'FWS', 'OggS', 'AC1015']) {
    t.equal(await whole(text, 'text/markdown'), 'text/markdown', text);
  }
});

t.test('all else is a stream of octets', async (t) => {
  for (const content of [Buffer.from([0xff, 0xfe, 0x41, 0]), Buffer.from('a\0b'), Buffer.from([0x61, 0xc3]), Buffer.from('bell \x07'), Buffer.from([0x80]), Buffer.from('a\x0bb')]) {
    for (const declared of ['text/plain', 'image/png', 'application/json']) t.equal(await whole(content, declared), 'application/octet-stream', content.toString('hex'));
  }
  t.equal(await whole('tab\t, feed\f, escape \x1b[0m, line\r\n', ''), 'text/plain');
});

t.test('a text may be cut inside of a character by the end of the head, not by its own', async (t) => {
  const text = Buffer.from(`${'x'.repeat(HEAD_BYTES - 2)}🙂 and more`);
  const head = text.subarray(0, HEAD_BYTES);
  t.equal(await mediaTypeOf(head, false, 'text/markdown'), 'text/markdown');
  t.equal(await mediaTypeOf(head, true, 'text/markdown'), 'application/octet-stream');
});

t.test('broken files of known formats end nothing', async (t) => {
  const starts = ['\x89PNG\r\n\x1a\n', 'PK\x03\x04', '\x1f\x8b\x08', 'RIFF\0\0\0\0WEBP', '\x1aE\xdf\xa3', '\0\0\0\x20ftypisom', 'II*\0', '0&\xb2u\x8ef\xcf\x11', '7z\xbc\xaf\x27\x1c'];
  for (const start of starts) {
    for (const filler of [0, 1, 0xff]) {
      const broken = Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(HEAD_BYTES, filler)]).subarray(0, HEAD_BYTES);
      t.match(await mediaTypeOf(broken, false, 'text/plain'), /^[a-z]+\/[\w.+-]+$/);
    }
  }
});
