// The agent's own modules as its generation has them: a worker that starts later runs what the first ones read, whatever is on disk by then.
import { readFileSync } from 'node:fs';
import { registerHooks, type LoadFnOutput } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { FoundModule, GenerationModules, ReadModule } from '../../../shared/protocol.ts';

/** The server's own, of which agents load some as well. */
const OWN = ['worker', 'shared'].map((folder) => new URL(`../../../${folder}/`, import.meta.url).href);
/** Stands after the URL of a file that is read as it is, and that may be imported, too. */
const AS_TEXT = '#text';

/** What the generation has, of which this thread reads nothing itself. */
const kept = { read: new Map<string, ReadModule>(), found: new Map<string, FoundModule>() };
let tellRead: (module: ReadModule) => void = () => undefined;

/**
 * From now on what the generation has is imported from there; what this thread has to look for and to read itself is told. Packages are not kept, as one
 * alone can have a thousand files, nor are the server's own.
 * @param tell called once in a while with what came since
 * @returns tells at once
 */
export function keepModules({ read, found }: GenerationModules, tell: (modules: GenerationModules) => void): () => void {
  for (const module of read) kept.read.set(module.url, module);
  for (const module of found) kept.found.set(module.request, module);
  const told = new Set<string>();
  let fresh: { readonly read: ReadModule[]; readonly found: FoundModule[] } = { read: [], found: [] };
  const flush = (): void => {
    if (fresh.read.length + fresh.found.length === 0) return;
    tell(fresh);
    fresh = { read: [], found: [] };
  };
  const add = <T>(key: string, module: T, to: T[]): void => {
    if (told.has(key)) return;
    told.add(key);
    if (fresh.read.length + fresh.found.length === 0) setImmediate(flush);
    to.push(module);
  };
  tellRead = (module) => add(module.url, module, fresh.read);
  registerHooks({
    resolve(specifier, context, next) {
      const request = requestOf(specifier, context.parentURL, context.conditions.includes('require'));
      const before = kept.found.get(request);
      if (before !== undefined) return { url: before.url, format: before.format, importAttributes: context.importAttributes, shortCircuit: true };
      const resolved = next(specifier, context);
      if (isOfAgent(resolved.url)) add(request, { request, url: resolved.url, format: resolved.format ?? undefined }, fresh.found);
      return resolved;
    },
    load(url, context, next) {
      const before = kept.read.get(url);
      if (before !== undefined) return { format: before.format, source: sourceOf(before), shortCircuit: true };
      const loaded = next(url, context);
      if (isOfAgent(url)) noteLoaded(url, loaded);
      return loaded;
    },
  });
  return flush;
}

/** Whether the generation has what a module of the server's has imported by this URL. */
export function isKeptImport(url: string, importer: string): boolean {
  return kept.found.has(requestOf(url, importer, false));
}

/** Whether the generation has the file's text. */
export function isKeptText(file: string): boolean {
  return kept.read.has(textUrl(file));
}

/** The text of a file of the agent's that is no module. @throws the system's error */
export function readText(file: string): string {
  const url = textUrl(file);
  const before = kept.read.get(url);
  if (before !== undefined) return textOf(before);
  const text = readFileSync(file, 'utf8');
  tellRead({ url, format: 'text', bytes: sharedBytes(text) });
  return text;
}

function textUrl(file: string): string {
  return pathToFileURL(file).href + AS_TEXT;
}

/** What is looked for by the same words from the same place is the same. URLs have no spaces. */
function requestOf(specifier: string, parent: string | undefined, isRequired: boolean): string {
  return `${isRequired ? 'require' : 'import'} ${parent ?? ''} ${specifier}`;
}

function isOfAgent(url: string): boolean {
  return url.startsWith('file:') && !url.includes('/node_modules/') && !OWN.some((folder) => url.startsWith(folder));
}

/** Without source or format it is nothing that could be given back, such as an addon. */
function noteLoaded(url: string, { format, source }: LoadFnOutput): void {
  if (typeof format !== 'string' || source === undefined || source === null) return;
  tellRead({ url, format, bytes: sharedBytes(source) });
}

/** Shared with the supervisor and with every worker that gets it: there is one copy, beside their heaps. */
function sharedBytes(source: NonNullable<LoadFnOutput['source']>): ReadModule['bytes'] {
  const bytes = typeof source === 'string' ? Buffer.from(source) : ArrayBuffer.isView(source) ? source : new Uint8Array(source);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  shared.set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return shared;
}

function sourceOf(module: ReadModule): string | Uint8Array {
  return module.format === 'wasm' ? Uint8Array.from(module.bytes) : textOf(module);
}

function textOf({ bytes }: ReadModule): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
