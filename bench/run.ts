// The bench: compares our server with a bare one of node:http in one run on one machine, prints the figures, fails only if an answer was not whole.
import type { Finding } from './findings.ts';
import { startGenerator, startModel } from './generator.ts';
import { measureAccess } from './measure/access.ts';
import { measureAgents } from './measure/agents.ts';
import { measureAgentStart } from './measure/agent_start.ts';
import { measureIdle } from './measure/idle.ts';
import { measureLogs } from './measure/logs.ts';
import { measureLogsPaced } from './measure/logs_paced.ts';
import { measureLogTable } from './measure/log_table.ts';
import { measurePaced } from './measure/paced.ts';
import { measureRestarts } from './measure/restarts.ts';
import { measureStart } from './measure/start.ts';
import { measureThroughput } from './measure/throughput.ts';
import { parsePlan, type Plan } from './options.ts';
import type { Bench } from './pair.ts';
import { formatAims, formatFinding, formatMachine } from './report.ts';

const SIGNAL_EXITS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const plan = readPlan();
const stack = new AsyncDisposableStack();
let interrupted = false;
const interrupt = (code: number): void => {
  interrupted = true;
  void stack.disposeAsync().finally(() => process.exit(code));
};
for (const [signal, code] of Object.entries(SIGNAL_EXITS)) process.once(signal, () => interrupt(code));
// Nobody reads any more (`| head`): without a listener the process would end here and leave the servers behind.
process.stdout.once('error', () => interrupt(1));
try {
  process.exitCode = await run(plan);
} catch (error) {
  // What an interrupt breaks off is no failure to tell of.
  if (!interrupted) throw error;
}

async function run(plan: Plan): Promise<number> {
  await using everything = stack;
  const bench: Bench = { plan, model: await startModel(everything), generator: await startGenerator(everything), stack: everything };
  const findings: Finding[] = [];
  console.log(`${formatMachine()}; ours: ${plan.selfCheck ? 'a second bare server, to check the bench itself' : `${plan.workers} workers`}`);
  for (const measure of measurements(plan)) {
    const finding = await measure(bench);
    findings.push(finding);
    console.log(formatFinding(finding));
  }
  const aims = findings.flatMap((finding) => finding.aims);
  if (aims.length > 0) console.log(formatAims(aims));
  const deviations = findings.flatMap(({ deviations }) => deviations);
  for (const deviation of deviations) console.error(`INVALID: ${deviation}`);
  return deviations.length === 0 ? 0 : 1;
}

function measurements({ stages, throughput, agents }: Plan): ((bench: Bench) => Promise<Finding>)[] {
  const chosen: ((bench: Bench) => Promise<Finding>)[] = [];
  if (stages.has('start')) chosen.push(measureStart);
  if (stages.has('idle')) chosen.push(measureIdle);
  if (stages.has('chat') || stages.has('stream')) chosen.push(...throughput.map((part) => (bench: Bench) => measureThroughput(bench, part)));
  if (stages.has('paced')) chosen.push(measurePaced);
  if (stages.has('agents')) chosen.push(...agents.map((part) => (bench: Bench) => measureAgents(bench, part)), measureAgentStart);
  if (stages.has('access')) chosen.push(measureAccess);
  if (stages.has('logs')) chosen.push(measureLogs, measureLogsPaced);
  if (stages.has('log-table')) chosen.push(measureLogTable);
  if (stages.has('restarts')) chosen.push(measureRestarts);
  return chosen;
}

function readPlan(): Plan {
  try {
    return parsePlan(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(2);
  }
}
