// A real Chromium of a test's own, without a window and without a word to anybody but this machine.
import type { Test } from 'tap';
import { chromium, type Browser } from 'playwright-core';
import { findProgram, notTested } from './programs.ts';

/** Debian's launchers are shell scripts, what they launch is here. */
const DEBIAN = '/usr/lib/chromium';

interface ChromiumOptions {
  /** Names that lead to 127.0.0.1, as if a server of names said so. */
  readonly names: readonly string[];
}

/**
 * Starts one for this test, which ends with it. Where there is no Chromium the test is skipped, and fails where CI is set:
 * `const browser = await chromiumOrSkip(t, { names }); if (browser === null) return;`
 */
export async function chromiumOrSkip(t: Test, { names }: ChromiumOptions): Promise<Browser | null> {
  const program = findProgram(['chromium-headless-shell', 'chromium'], [DEBIAN]);
  if (program === null) {
    notTested(t, 'there is no Chromium on this machine');
    return null;
  }
  // All other names lead nowhere: what it would ask of the world on its own account included.
  const rules = [...names.map((name) => `MAP ${name} 127.0.0.1`), 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1', 'EXCLUDE 0.0.0.0', 'EXCLUDE localhost'];
  const lean = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking'];
  const args = [`--host-resolver-rules=${rules.join(', ')}`, ...lean];
  const browser = await chromium.launch({ executablePath: program, args });
  t.teardown(() => browser.close());
  return browser;
}
