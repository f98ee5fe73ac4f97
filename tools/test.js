// Checks the whole project: types, lint, tests. Given test files, only those. The last line is `N passed, N failed`.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const root = dirname(import.meta.dirname);
const binOf = (name) => join(root, 'node_modules/.bin', name);
/** As npm sets it for scripts: what is started here finds the project's own Node, too. */
const env = {
  ...process.env,
  PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}`,
  // Each file is a process, and most of what it loads is the same.
  NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/node-compile'),
};
const files = process.argv.slice(2);

let broken = 0;
if (files.length === 0) {
  for (const script of ['typecheck', 'lint']) broken += runs('npm', ['run', '--silent', script]) ? 0 : 1;
}
if (needsBuild()) broken += runs(binOf('tap'), ['build']) ? 0 : 1;
const { passed, failed, skipped } = await runTests();
if (passed + failed === 0) console.log('expected tests, none was executed');
console.log(`${passed} passed, ${failed + broken} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed + broken > 0 || passed === 0 ? 1 : 0;

/** Prints what the command printed if it fails. */
function runs(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, env, encoding: 'utf8' });
  const shown = [command, ...args].join(' ').replace(`${root}/`, '');
  console.log(`${status === 0 ? 'ok' : 'FAILED'}  ${shown}`);
  if (status !== 0) console.log(error?.message ?? `${stdout}${stderr}`);
  return status === 0;
}

/** tap is compiled for the plugins that it uses. After an install those are its own, not the ones that .taprc names. */
function needsBuild() {
  const left = [...readFileSync(join(root, '.taprc'), 'utf8').matchAll(/"!([^"]+)"/g)].map(([, plugin]) => plugin);
  const built = readFileSync(join(root, 'node_modules/@tapjs/test/test-built/dist/esm/index.js'), 'utf8');
  return left.some((plugin) => built.includes(`from "${plugin}"`));
}

/** Runs tap, prints a line a file as it ends, and all that a failing file has reported. */
async function runTests() {
  const tap = spawn(binOf('tap'), ['run', '--reporter=tap', ...files], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => tap.once('exit', resolve));
  const sum = { passed: 0, failed: 0, skipped: 0 };
  let block = [];
  for await (const line of createInterface({ input: tap.stdout })) {
    const end = /^(not )?ok \d+ - (.*?)(?: # time=(.*))?$/.exec(line);
    block = line.startsWith('# Subtest: ') ? [line] : [...block, line];
    if (end === null) continue;
    const tests = countTests(block, end[1] !== undefined);
    for (const key of Object.keys(sum)) sum[key] += tests[key];
    console.log(`${tests.failed > 0 ? 'FAILED' : 'ok'}  ${end[2]}: ${tests.passed} passed${tests.failed > 0 ? `, ${tests.failed} failed` : ''}, ${end[3] ?? ''}`);
    if (tests.failed > 0) console.log(block.join('\n'));
    block = [];
  }
  const code = await exited;
  if (code !== 0 && sum.failed === 0) sum.failed = 1;
  return sum;
}

/** The tests are a file's test points of the first level. A file that fails without one that does (it broke, or timed out) is a failure itself. */
function countTests(block, fileFailed) {
  const points = block.filter((line) => /^ {4}(not )?ok \d+/.test(line));
  const skipped = points.filter((line) => / # (SKIP|TODO)\b/i.test(line)).length;
  const failed = points.filter((line) => line.startsWith('    not ok') && !/ # TODO\b/i.test(line)).length;
  return { passed: points.length - skipped - failed, failed: fileFailed ? Math.max(failed, 1) : failed, skipped };
}
