import { readConfig } from '../platform/config.ts';
import { CodedError } from '../platform/errors.ts';
import { createLogger } from '../platform/logging.ts';
import type { Runtime } from '../system/runtime-file.ts';
import { System } from '../system/system.ts';
import type { TillboxCommand } from './command.ts';
import { daemonLines } from './daemon-lines.ts';
import type { Instances } from './instances.ts';
import { statusDocument } from './status-document.ts';
import { openTerminal, type Terminal } from './terminal/terminal.ts';

/** Runs the system until a signal ends it, showing the log lines of its daemons under their names. */
export async function upInForeground(
  command: TillboxCommand,
  settings: { ephemeral: boolean; instances: Instances },
): Promise<void> {
  const terminal = await openTerminal(command);
  const config = readConfig(process.env);
  const log = createLogger('up', config.logLevel);
  const toPeople = process.stderr.isTTY === true && !terminal.json;
  const events = daemonLines({ toPeople, note: terminal.note }, log);
  const system = new System({ config, ...settings, environment: process.env, events, log });
  const ended = endOnSignal(system);
  try {
    const runtime = await system.start();
    const document = await statusDocument({ runtime, config, showSecrets: false });
    terminal.result(document, () => describe(runtime, terminal));
    process.send?.({ ready: true });
  } catch (error) {
    const { code, message } = error instanceof CodedError ? error : new CodedError('internal', String(error));
    process.send?.({ code, message });
    throw error;
  } finally {
    if (process.connected) process.disconnect();
  }
  await ended;
}

/** Stops the system at the first signal; resolves when it is down. A second Ctrl-C does not wait. */
function endOnSignal(system: System): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (exitCode: number) => {
      process.once('SIGINT', () => process.exit(130));
      process.exitCode = exitCode;
      system.stop().then(resolve, reject);
    };
    process.once('SIGINT', () => stop(130));
    process.once('SIGTERM', () => stop(0));
    process.once('SIGHUP', () => stop(0));
  });
}

function describe(runtime: Runtime, { paint }: Terminal): string {
  const rows = [
    ['gateway', runtime.gateway.url, `docs at ${runtime.gateway.url}/docs`],
    ...runtime.orders.map(({ url }, index) => [index === 0 ? 'orders' : '', url, '']),
    ...runtime.payments.map(({ url }, index) => [index === 0 ? 'payments' : '', url, '']),
    ['data', runtime.dataFolder ?? 'in the databases given by URL', dataNote(runtime)],
  ];
  const lines = rows.map(([name = '', value = '', note = '']) =>
    `  ${name.padEnd(9)}${value}  ${paint.faint(note)}`.trimEnd(),
  );
  return [
    paint.heading('tillbox is up'),
    '',
    ...lines,
    '',
    `  Try ${paint.heading('tillbox create-account alice')} in another terminal. Ctrl-C ends it.`,
    '',
  ].join('\n');
}

function dataNote({ embedded, ephemeral }: Runtime): string {
  if (ephemeral) return '(ephemeral: vanishes at the end)';
  return embedded ? '(embedded Postgres)' : '';
}
