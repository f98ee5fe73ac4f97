// The process that tries a version: it loads the agent as the server would, runs its smoke test, says whether that went well, and ends when the channel to the
// server does.
import { writeFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { pino } from 'pino';
import { toLoadFailure, type LoadFailure } from '../../shared/agent/load_error.ts';
import type { LogFrameLevel } from '../../shared/protocol.ts';
import { BootError } from './boot_error.ts';
import { CLOSE_GRACE_MS, Generation } from './generation.ts';
import { goneInTime } from './gone_in_time.ts';
import { unshared } from './kept_modules.ts';
import { killTree } from './kill_tree.ts';
import type { Slot } from './slot.ts';
import { smokeTest } from './smoke_test.ts';
import type { Said, Trial, Tried } from './trial.ts';

/** Of what the agent says last, in UTF-16 units: enough for its errors. */
const SAID_LENGTH = 16 * 1024;

let generation: Generation | undefined;
const said: Said[] = [];
let saidLength = 0;

process.once('message', ({ settings, bootTimeoutMs }: Trial) => {
  const ignore = (): void => undefined;
  generation = new Generation({ number: 1, workers: 1, settings, bootTimeoutMs, log: pino({ level: 'silent' }), onCapacity: ignore, agentLog });
  void tryGeneration(generation, bootTimeoutMs);
});
process.once('disconnect', () => void end());
preferToDie();

async function tryGeneration(tried: Generation, timeoutMs: number): Promise<void> {
  const failure = await loadAndAnswer(tried, timeoutMs).then(() => null, reasonOf);
  flushCompileCache();
  process.send?.({ failure, files: tried.files, modules: unshared(tried.modules.all), said: failure === null ? [] : said } satisfies Tried, undefined, {}, () => undefined);
}

async function loadAndAnswer(tried: Generation, timeoutMs: number): Promise<void> {
  const { smokeTest: message } = await tried.start();
  if (message !== null) await smokeTest(tried.serving[0] as Slot, message, timeoutMs);
}

function agentLog(_slot: Slot, _id: string | null, level: LogFrameLevel, text: string): void {
  const kept = text.slice(0, SAID_LENGTH);
  said.push({ level, text: kept });
  saidLength += kept.length;
  while (saidLength > SAID_LENGTH) saidLength -= said.shift()?.text.length ?? 0;
}

function reasonOf(error: unknown): LoadFailure {
  return error instanceof BootError ? error.failure : toLoadFailure(error);
}

/** Where the kernel has to kill for want of memory, it is to choose this process (proc(5)), not the server. */
function preferToDie(): void {
  if (process.platform !== 'linux') return;
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // A sandbox may forbid it: the kernel then chooses by size.
  }
}

async function end(): Promise<void> {
  if (generation !== undefined) await goneInTime(generation.close(CLOSE_GRACE_MS), CLOSE_GRACE_MS);
  // Not by an exit, which a thread inside a blocking call would hold up.
  killTree(process.pid);
}
