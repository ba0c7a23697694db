import { type Config, readConfig } from '../../platform/config.ts';
import { gatewayAccess } from '../../system/gateway-access.ts';
import type { TillboxCommand } from '../command.ts';
import { type Recent, remember } from '../recent.ts';
import { openTerminal, type Terminal } from '../terminal/terminal.ts';
import { traceOfCommand } from './command-trace.ts';
import { Gateway } from './gateway.ts';
import { isSupervised } from './gateway-url.ts';

/** What a command that talks to the gateway works with. */
export interface Client {
  terminal: Terminal;
  gateway: Gateway;
  config: Config;
  /** What an interruption from now on leaves behind, and what to do about it; undefined for nothing. */
  interruptionNotice: string | undefined;
  /** Remembers users and orders that a command had to do with, to offer them later. */
  remember(touched: Partial<Recent>): void;
}

/**
 * Opens terminal and gateway for a command. Ctrl-C ends the process from now on, with the notice and exit
 * code 130.
 */
export async function openClient(command: TillboxCommand): Promise<Client> {
  const config = readConfig(process.env);
  const terminal = await openTerminal(command);
  const traceparent = await traceOfCommand(command, config.traces, terminal);
  const access = { ...gatewayAccess(config), traceparent };
  const gateway = new Gateway(access, () => isSupervised(access.url, config.home));
  const client: Client = {
    terminal,
    gateway,
    config,
    interruptionNotice: undefined,
    remember: (touched) => remember(config.home, touched),
  };
  process.once('SIGINT', () => {
    if (client.interruptionNotice !== undefined) terminal.note(client.interruptionNotice);
    process.exit(130);
  });
  return client;
}
