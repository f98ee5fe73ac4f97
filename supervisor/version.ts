// The version of the package, from its package.json: one folder up in a checkout, two in the built package.
import { readFile } from 'node:fs/promises';

export async function readVersion(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8').catch(() => readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  return (JSON.parse(text) as { version: string }).version;
}
