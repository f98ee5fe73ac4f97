// The local files that an agent's modules load, for whoever watches them.
import { registerHooks } from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** So many are told of at most: an agent that loads more is generated, and not edited by hand. */
const MOST_FILES = 2000;
/** The server's own, of which agents load some as well. */
const OWN = ['worker', 'shared'].map((folder) => join(import.meta.dirname, '../../..', folder) + sep);
/** What `require` tries after a path as it stands: https://nodejs.org/api/modules.html#all-together */
const REQUIRED_AS = ['', '.js', '.json', `${sep}index.js`];

let note: (file: string) => void = () => undefined;

/** A file that the agent needs and that no module imports: a definition, or one that was looked for in vain. Nothing where nobody watches. */
export function noteFile(file: string): void {
  note(file);
}

/**
 * From now on the files that this thread's modules import or require are collected: neither packages nor the server's own. One that is missing is
 * among them, where its path is known.
 * @param tell called once in a while with those that came since, as absolute paths
 * @returns tells at once
 */
export function collectLoadedFiles(tell: (files: readonly string[]) => void): () => void {
  const seen = new Set<string>();
  let fresh: string[] = [];
  const flush = (): void => {
    if (fresh.length === 0) return;
    tell(fresh);
    fresh = [];
  };
  note = (file) => {
    // Packages do not count: one alone can have a thousand files.
    if (file.includes(`${sep}node_modules${sep}`) || OWN.some((folder) => file.startsWith(folder))) return;
    if (seen.size >= MOST_FILES || seen.has(file)) return;
    seen.add(file);
    fresh.push(file);
    if (fresh.length === 1) setImmediate(flush);
  };
  registerHooks({
    resolve(specifier, context, next) {
      try {
        const resolved = next(specifier, context);
        fileOf(resolved.url).forEach(noteFile);
        return resolved;
      } catch (error) {
        missingFiles(error, specifier, context.parentURL).forEach(noteFile);
        throw error;
      }
    },
  });
  return flush;
}

/** An import's error has the URL that was looked for; that of `require` has none, and may have meant several files. */
function missingFiles(error: unknown, specifier: string, parent = ''): string[] {
  if (!(error instanceof Error) || !('code' in error)) return [];
  if ('url' in error) return fileOf(String(error.url));
  if (error.code !== 'MODULE_NOT_FOUND' || !/^\.{0,2}\//.test(specifier)) return [];
  return fileOf(parent).flatMap((from) => REQUIRED_AS.map((end) => resolve(dirname(from), specifier + end)));
}

/** Of a URL, its path, if it has one. Never throws: whoever imports would be told of that instead. */
function fileOf(url: string): string[] {
  try {
    return url.startsWith('file:') ? [fileURLToPath(url)] : [];
  } catch {
    return [];
  }
}
