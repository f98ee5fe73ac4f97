// The shape of the sources: which folder may import which, no cycles, files of one concept, and where the process is read.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { PROJECT } from './helpers/process.ts';

/** A folder → the folders of ours that it may import. A worker is known to the supervisor by its URL only. */
const DIRECTIONS: Readonly<Record<string, readonly string[]>> = {
  bin: ['bin', 'supervisor', 'shared'],
  supervisor: ['supervisor', 'shared'],
  worker: ['worker', 'shared'],
  shared: ['shared'],
};
/** A file over 250 lines is a question; these are answered. */
const LONG_FILES: readonly string[] = [];
const MAX_LINES = 250;
/** Where `process.env` and `process.argv` may be read outside of bin/. */
const READS_PROCESS = ['worker/chat/isolation.ts'];

const SOURCES = globSync('{bin,supervisor,worker,shared}/**/*.{ts,js}', { cwd: PROJECT }).map(normalize).toSorted();
const TEXTS = new Map(SOURCES.map((file) => [file, readFileSync(join(PROJECT, file), 'utf8')]));
const IMPORTS = new Map([...TEXTS].map(([file, text]) => [file, importsOf(file, text)]));

/** Static and dynamic imports and re-exports of our own files, as paths from the project's root. */
function importsOf(file: string, text: string): string[] {
  const found = text.matchAll(/(?:^|\s)(?:import|export)\s[^;'"]*?from\s*'(\.[^']+)'|^import\s*'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'\s*\)/gm);
  return [...found].map(([, from, bare, dynamic]) => join(dirname(file), from ?? bare ?? dynamic ?? ''));
}

const topOf = (file: string) => file.split('/')[0] ?? '';
const codeOf = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');

t.test('imports go down only: bin to supervisor to shared, worker to shared', async (t) => {
  const wrong = [...IMPORTS].flatMap(([file, imports]) =>
    imports.filter((imported) => !DIRECTIONS[topOf(file)]?.includes(topOf(imported))).map((imported) => `${file} imports ${imported}`),
  );
  t.strictSame(wrong, []);
  const missing = [...IMPORTS].flatMap(([file, imports]) => imports.filter((imported) => !TEXTS.has(imported)).map((imported) => `${file}: ${imported}`));
  t.strictSame(missing, [], 'every import names a file of ours');
});

t.test('shared does no I/O: of Node it imports types, and modules that do none', async (t) => {
  const wrong = [...TEXTS].filter(([file, text]) => topOf(file) === 'shared' && /^import (?!type)[^;]*'node:(?!(path|v8|vm|zlib)')/m.test(text)).map(([file]) => file);
  t.strictSame(wrong, []);
});

t.test('no file imports itself, however far round', async (t) => {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file)) return;
    done.add(file);
    for (const imported of IMPORTS.get(file) ?? []) visit(imported, [...path, file]);
  };
  for (const file of SOURCES) visit(file, []);
  t.strictSame(cycles, []);
});

t.test('a file is one concept: no more than 250 lines', async (t) => {
  const long = [...TEXTS].filter(([, text]) => text.trimEnd().split('\n').length > MAX_LINES).map(([file]) => file);
  t.strictSame(long.filter((file) => !LONG_FILES.includes(file)), []);
});

t.test('a comment of one sentence or more heads each file', async (t) => {
  const others = globSync('{test/helpers,tools,bench}/**/*.{ts,js}', { cwd: PROJECT });
  const all = [...TEXTS, ...others.map((file) => [file, readFileSync(join(PROJECT, file), 'utf8')] as const)];
  const bare = all.filter(([, text]) => !/^(#!.*\n)?\/\/ \S/.test(text)).map(([file]) => file);
  t.strictSame(bare, []);
});

t.test('no file is named for nothing in particular', async (t) => {
  t.strictSame(SOURCES.filter((file) => /(^|[/_-])(utils?|helpers?|types?|common|misc|managers?|data)\.(ts|js)$/.test(file)), []);
});

t.test('the process is read in bin/ and in the isolation of the workers only', async (t) => {
  const readers = [...TEXTS].filter(([, text]) => /\bprocess\.(env|argv)\b/.test(codeOf(text))).map(([file]) => file);
  t.strictSame(readers.filter((file) => topOf(file) !== 'bin' && !READS_PROCESS.includes(file)), []);
});

t.test('the top level holds what the project needs, and its four folders of sources', async (t) => {
  const expected = [...Object.keys(DIRECTIONS), 'agents', 'bench', 'test', 'tools', '.ci/run', '.taprc', '.oxlintrc.json', 'package-lock.json', 'tsconfig.json'];
  t.strictSame(expected.filter((name) => globSync(name, { cwd: PROJECT }).length === 0), []);
});
