import { spawn } from 'node:child_process';
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from '../platform/config.ts';
import { CodedError, type ErrorCode, errorCatalogue } from '../platform/errors.ts';
import { makeHome } from '../system/home.ts';
import { readRuntime } from '../system/runtime-file.ts';
import { executablePath } from '../system/supervised-process.ts';
import type { TillboxCommand } from './command.ts';
import { statusDocument } from './status-document.ts';
import { openTerminal } from './terminal/terminal.ts';

/** The log of the run before is kept once it has grown beyond this. */
const logBytesMax = 10_000_000;

/** Runs `tillbox up` in a process of its own and returns when it is ready. */
export async function upDetached(
  command: TillboxCommand,
  options: { ephemeral?: boolean; instances?: string[] },
): Promise<void> {
  const terminal = await openTerminal(command);
  const config = readConfig(process.env);
  const logPath = join(makeHome(config.home, 'logs'), 'up.log');
  const args = ['up'];
  if (options.ephemeral) args.push('--ephemeral');
  if (options.instances !== undefined) args.push('--instances', ...options.instances);
  await untilReady(args, logPath);
  const runtime = readRuntime(config.home);
  const document = await statusDocument({ runtime, config, showSecrets: false });
  terminal.result(document, () => {
    const { url } = runtime?.gateway ?? { url: '' };
    return `tillbox is up at ${url}, process ${runtime?.pid}\nLog: ${logPath}\nEnd it with: tillbox down`;
  });
}

/** Resolves when the child says it is ready; throws what it failed with. */
function untilReady(args: string[], logPath: string): Promise<void> {
  const log = openLog(logPath);
  // It asks no gateway for anything, and lives for long.
  const { TILLBOX_TOKEN: _token, ...environment } = process.env;
  const child = spawn(process.execPath, [...process.execArgv, executablePath(), ...args], {
    env: environment,
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  return new Promise((resolve, reject) => {
    child.once('message', (message: { ready?: boolean; code?: ErrorCode; message?: string }) => {
      if (message.ready === true) {
        child.unref();
        resolve();
        return;
      }
      const code = message.code !== undefined && message.code in errorCatalogue ? message.code : 'internal';
      reject(new CodedError(code, message.message ?? `It did not start; see ${logPath}.`));
    });
    child.once('exit', () =>
      reject(new CodedError('unavailable', `It ended before it was ready; see ${logPath}.`)),
    );
    child.once('error', reject);
  });
}

function openLog(path: string): number {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > logBytesMax) renameSync(path, `${path}.1`);
  return openSync(path, 'a', 0o600);
}
