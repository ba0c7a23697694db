import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { addAudit } from './audit.ts';
import { addBalance } from './balance.ts';
import { addChaos } from './chaos.ts';
import { TillboxCommand } from './command.ts';
import { addCompletion } from './completion.ts';
import { addCreateAccount } from './create-account.ts';
import { addCreateOrder } from './create-order.ts';
import { addDashboard } from './dashboard.ts';
import { addDeadLetters } from './dead-letters.ts';
import { addDoctor } from './doctor.ts';
import { addDown } from './down.ts';
import { addHelp } from './help.ts';
import { addLoad } from './load.ts';
import { addMigrate } from './migrate.ts';
import { addOrder } from './order.ts';
import { addOrders } from './orders.ts';
import { addQueues } from './queues.ts';
import { addServe } from './serve.ts';
import { addStatement } from './statement.ts';
import { addStatus } from './status.ts';
import { ignoreClosedPipe } from './terminal/terminal.ts';
import { reflow, wrapCommand } from './terminal/wrap.ts';
import { addToken } from './token.ts';
import { addTop } from './top.ts';
import { addTopup } from './topup.ts';
import { addTrace } from './trace.ts';
import { addUp } from './up.ts';

export type { TillboxCommand as Program } from './command.ts';

/** Every command registers itself here, in the order of the help. Each imports what it needs when it runs. */
const commands: readonly ((program: TillboxCommand) => void)[] = [
  addUp,
  addDown,
  addStatus,
  addMigrate,
  addServe,
  addToken,
  addCreateAccount,
  addTopup,
  addBalance,
  addStatement,
  addCreateOrder,
  addOrders,
  addOrder,
  addLoad,
  addTrace,
  addAudit,
  addChaos,
  addQueues,
  addTop,
  addDashboard,
  addDeadLetters,
  addDoctor,
  addCompletion,
  addHelp,
];

const toolsHeading = 'Watching and proving:';

/** Under which heading the help has a command; the others are tools. */
const headings: Readonly<Record<string, readonly string[]>> = {
  'The system:': ['up', 'down', 'status', 'migrate', 'serve', 'token'],
  'Accounts and orders:': [
    'create-account',
    'topup',
    'balance',
    'statement',
    'create-order',
    'orders',
    'order',
  ],
  'Help:': ['completion', 'help'],
};

const firstSteps = [
  'tillbox up --detach',
  'tillbox create-account alice',
  'tillbox topup alice 100',
  'tillbox create-order alice 49.90 --wait',
];

function firstStepsText({ helpColumns }: TillboxCommand): string {
  const commands = firstSteps.map((line) => wrapCommand(line, helpColumns)).join('\n');
  return `\nTo begin:\n${commands}\n${reflow('Or tillbox alone: on a terminal it asks what to do.', helpColumns)}`;
}

/** Builds the whole command line. */
export function createProgram(): TillboxCommand {
  const program = new TillboxCommand('tillbox')
    .description('Orders and payments that talk only through messages, on Postgres alone.')
    .usage('COMMAND [options]')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpCommand(false)
    .exitOverride() as TillboxCommand;
  for (const add of commands) add(program);
  for (const command of program.commands) {
    const [heading = toolsHeading] =
      Object.entries(headings).find(([, names]) => names.includes(command.name())) ?? [];
    command.helpGroup(heading);
  }
  return program.addHelpText('after', () => firstStepsText(program));
}

/**
 * Runs the command line and sets the exit code. The one place where errors become messages and exit codes.
 * @param argv the words behind `tillbox`
 */
export async function runProgram(argv: readonly string[]): Promise<void> {
  ignoreClosedPipe(process.stdout);
  ignoreClosedPipe(process.stderr);
  let program: TillboxCommand | undefined;
  let failure: unknown;
  try {
    program = createProgram();
    if (isCommandMissing(program, argv)) await withoutCommand(program);
    else await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    failure = error;
    // Help and the version are printed by now; help instead of a command is a usage error.
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    const { reportError } = await import('./report-error.ts');
    process.exitCode = reportError(error, {
      json: argv.includes('--json'),
      debug: /^(debug|trace)$/.test(process.env['TILLBOX_LOG_LEVEL'] ?? ''),
      stderr: process.stderr,
    });
  } finally {
    await program?.atEnd?.(failure);
  }
}

/** Whether there is no word but options of all commands. The version, if that is asked for, is printed here. */
function isCommandMissing(program: TillboxCommand, argv: readonly string[]): boolean {
  const { operands, unknown } = program.parseOptions([...argv]);
  return operands.length + unknown.length === 0;
}

/** On a terminal a person is asked what to do; elsewhere there is the help. */
async function withoutCommand(program: TillboxCommand): Promise<void> {
  const { openTerminal } = await import('./terminal/terminal.ts');
  if (!(await openTerminal(program)).mayAsk || !process.stderr.isTTY) {
    program.outputHelp();
    return;
  }
  const { runSession } = await import('./session/run-session.ts');
  await runSession(program, runAnother);
}

/** Runs a command in the midst of a session. */
async function runAnother(words: readonly string[]): Promise<void> {
  const program = createProgram();
  let failure: unknown;
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    await program.atEnd?.(failure);
  }
}

function readVersion(): string {
  // From the sources the package begins two folders up, from compiled code three.
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version;
    } catch {
      // Try the next.
    }
  }
  return 'unknown';
}
