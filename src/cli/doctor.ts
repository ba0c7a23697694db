import type { DoctorReport } from '../tools/doctor/doctor.ts';
import type { Surroundings } from '../tools/doctor/surroundings.ts';
import type { TillboxCommand } from './command.ts';

/** `tillbox doctor`: what is wrong with this machine, the databases or the system, and what to do about it. */
export function addDoctor(program: TillboxCommand): void {
  program
    .command('doctor')
    .description('Look for what is wrong with machine, databases or system, and say what to do about it.')
    .helped(['doctor', 'doctor --json'], [8])
    .explained(explanation)
    .action(run);
}

const explanation = `\
It looks at Node, the embedded Postgres, the home and its secrets, ports, databases, migrations,
privileges, queues, retention and gateway, and changes nothing. Each line is ok, a warning (worth a
look), or a failure (somebody has to act), with the remedy. It works with nothing running, too, but
can then not look into the embedded Postgres. Only a failure makes the exit code 8.`;

async function run(_options: object, command: TillboxCommand) {
  const { examine } = await import('../tools/doctor/doctor.ts');
  const { describeDiagnosis } = await import('./terminal/doctor-text.ts');
  const { openTerminal } = await import('./terminal/terminal.ts');
  const terminal = await openTerminal(command);
  const report: DoctorReport = await examine(await lookAround());
  terminal.result(report, () => describeDiagnosis(report, terminal));
  if (!report.ok) process.exitCode = 8;
}

async function lookAround(): Promise<Surroundings> {
  const { join } = await import('node:path');
  const { readConfig } = await import('../platform/config.ts');
  const { inspectEmbeddedPostgres } = await import('../platform/embedded-postgres/inspection.ts');
  const { createLogger } = await import('../platform/logging.ts');
  const { isRunning } = await import('../platform/process-identity.ts');
  const { ownerOfLock } = await import('../system/process-lock.ts');
  const { readRuntime } = await import('../system/runtime-file.ts');
  const { statusDocument } = await import('./status-document.ts');
  const config = readConfig(process.env);
  const runtime = readRuntime(config.home);
  const supervised = runtime !== undefined && isRunning(ownerOfLock(config.home));
  const [serving, embedded] = await Promise.all([
    statusDocument({ runtime: supervised ? runtime : undefined, config, showSecrets: false }),
    inspectEmbeddedPostgres(join(config.home, 'postgres')),
  ]);
  // What is to be told is in the findings.
  const log = createLogger('doctor', 'silent');
  return { config, runtime, supervised, serving, embedded, log };
}
