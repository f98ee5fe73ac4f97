// Names of uploaded files: whatever a client says, what comes out is one plain name.
import { basename, join, relative } from 'node:path';
import t from 'tap';
import { nameKey, safeFileName } from '../../../supervisor/uploads/file_name.ts';

const free = (): boolean => false;

/** What a client sends, and what is made of it. */
const NAMES: readonly (readonly [string | undefined, string])[] = [
  ['notes.txt', 'notes.txt'],
  ['Zoë’s résumé 2.pdf', 'Zoë’s résumé 2.pdf'],
  ['報告書.docx', '報告書.docx'],
  ['archive.tar.gz', 'archive.tar.gz'],
  ['no extension', 'no extension'],
  [undefined, 'file'],
  ['', 'file'],
  ['.', 'file'],
  ['..', 'file'],
  ['...', 'file'],
  ['   ', 'file'],
  ['/', 'file'],
  ['../../etc/passwd', 'passwd'],
  ['..\\..\\windows\\system32\\cmd.exe', 'cmd.exe'],
  ['/etc/shadow', 'shadow'],
  ['C:\\fakepath\\photo.png', 'photo.png'],
  ['C:evil.txt', 'C_evil.txt'],
  ['a.txt:stream', 'a.txt_stream'],
  ['folder/', 'file'],
  ['.htaccess', 'htaccess'],
  ['..hidden.txt', 'hidden.txt'],
  ['trailing. . .', 'trailing'],
  ['null\u0000byte.txt', 'nullbyte.txt'],
  ['a\r\nSet-Cookie: x=y.txt', 'aSet-Cookie_ x=y.txt'],
  ['escape\u001b[31m.txt', 'escape[31m.txt'],
  ['report\u202Etxt.exe', 'reporttxt.exe'],
  ['zero\u200Bwidth\uFEFF.txt', 'zerowidth.txt'],
  ['tag\u{E0041}s.txt', 'tags.txt'],
  ['line\u2028separator.txt', 'lineseparator.txt'],
  ['filler\u3164.txt', 'filler.txt'],
  ['hard\u00a0space\u3000.txt', 'hard space .txt'],
  ['e\u0301.txt', 'é.txt'],
  ['lone\ud800surrogate.txt', 'lone\ufffdsurrogate.txt'],
  ['a<b>c|d?e*f"g.txt', 'a_b_c_d_e_f_g.txt'],
  ['CON', '_CON'],
  ['nul.txt', '_nul.txt'],
  ['Com1.tar.gz', '_Com1.tar.gz'],
  ['lpt¹.txt', '_lpt¹.txt'],
  ['aux .txt', '_aux .txt'],
  ['console.txt', 'console.txt'],
  ['%2e%2e%2fetc%2fpasswd', '%2e%2e%2fetc%2fpasswd'],
  ['$(rm -rf ~).txt', '$(rm -rf ~).txt'],
];

t.test('a name is one plain name, in a folder', async (t) => {
  for (const [given, expected] of NAMES) t.equal(safeFileName(given, free), expected, encodeURIComponent(expected));
});

t.test('it leads nowhere else, whatever it is made of', async (t) => {
  const pieces = ['..', '/', '\\', '.', ' ', '\u0000', '\u202e', 'a', ':', 'CON', '\ud83d', '\u0301', '%2f', '\n', '∕', '．．', 'x'.repeat(300)];
  let seed = 7;
  const pick = (): string => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return pieces[seed % pieces.length] as string;
  };
  const wrong: string[] = [];
  for (let round = 0; round < 20_000; round += 1) {
    const given = Array.from({ length: 1 + (round % 7) }, pick).join('');
    const name = safeFileName(given, free);
    const sound = relative('/uploads', join('/uploads', name)) === name && basename(name) === name && !/^[. ]|[. ]$|[\p{C}<>:"/\\|?*]/u.test(name);
    const sane = sound && name.isWellFormed() && name.normalize('NFC') === name && Buffer.byteLength(name) <= 200 && name !== '';
    if (!sane) wrong.push(`${encodeURI(given.toWellFormed())} became ${encodeURI(name)}`);
  }
  t.strictSame(wrong, []);
});

t.test('a long name is cut between two characters, and keeps its extension', async (t) => {
  t.equal(safeFileName(`${'x'.repeat(400)}.jpeg`, free), `${'x'.repeat(195)}.jpeg`);
  t.equal(safeFileName('x'.repeat(200), free).length, 200);
  t.equal(safeFileName('x'.repeat(201), free).length, 200);
  const emoji = safeFileName(`${'🙂'.repeat(100)}.txt`, free);
  t.equal(emoji, `${'🙂'.repeat(49)}.txt`);
  t.equal(Buffer.byteLength(safeFileName(`a.${'y'.repeat(300)}`, free)), 200, 'what is that long is no extension');
});

t.test('two of the same name are told apart, also where case does not count', async (t) => {
  const taken = new Set<string>();
  const add = (given: string): string => {
    const name = safeFileName(given, (key) => taken.has(key));
    taken.add(nameKey(name));
    return name;
  };
  t.strictSame(['a.txt', 'a.txt', 'A.TXT', 'a (2).txt', 'x/a.txt'].map(add), ['a.txt', 'a (2).txt', 'A (3).TXT', 'a (2) (2).txt', 'a (4).txt']);
  t.strictSame(['Straße', 'STRASSE', 'e\u0301', 'É'].map(add), ['Straße', 'STRASSE (2)', 'é', 'É (2)']);
  const long = `${'x'.repeat(300)}.txt`;
  const both = [add(long), add(long)];
  t.strictSame(both.map((name) => Buffer.byteLength(name)), [200, 200]);
  t.match(both[1], / \(2\)\.txt$/);
});
