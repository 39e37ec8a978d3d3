// `tapstack doctor`: whether this machine has what the stack needs, and what to do where it has not.

import type { Command } from 'commander';
import picocolors from 'picocolors';
import { DOCTOR_DEVICE, doctorDevice, gather } from './doctor-facts.js';
import { type Finding, judge, type Verdict } from './doctor-judge.js';

/** Only for eyes at a terminal, and only for those who did not ask to be spared; a build server counts as neither. */
const colors = picocolors.createColors(process.stdout.isTTY === true && !process.env.NO_COLOR);

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description(
      'check this machine: Node.js, the addon, the TAP device, rights, namespaces, offloads, programs',
    )
    .option('-J, --json', 'as JSON', false)
    .addHelpText('after', EXAMPLES)
    .action(({ json }: { json: boolean }) => doctor(json));
  program.command(DOCTOR_DEVICE, { hidden: true }).action(doctorDevice);
}

const EXAMPLES = `
Ends with 0 if the stack can work here, and with 1 if something is in its way.

Examples:
  $ tapstack doctor
  $ tapstack doctor --json`;

async function doctor(json: boolean): Promise<void> {
  const findings = judge(await gather());
  const healthy = findings.every(({ verdict }) => verdict !== 'problem');
  process.stdout.write(
    json ? `${JSON.stringify({ healthy, findings }, null, 2)}\n` : report(findings, healthy),
  );
  if (!healthy) process.exitCode = 1;
}

function report(findings: readonly Finding[], healthy: boolean): string {
  const lines = findings.flatMap(({ what, verdict, found, remedies }) => [
    `${MARKS[verdict]()} ${colors.bold(what)}: ${found}`,
    ...remedies.map((remedy) => `    - ${remedy}`),
  ]);
  const verdict = healthy ? 'The stack can work here.' : 'Something is in the way.';
  return `${[...lines, '', verdict].join('\n')}\n`;
}

const MARKS: Readonly<Record<Verdict, () => string>> = {
  ok: () => colors.green('ok     '),
  warning: () => colors.yellow('warning'),
  problem: () => colors.red('PROBLEM'),
};
