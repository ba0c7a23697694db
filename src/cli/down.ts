import type { TillboxCommand } from './command.ts';

/** `tillbox down`: ends what `tillbox up` runs. */
export function addDown(program: TillboxCommand): void {
  program
    .command('down')
    .description('End what tillbox up runs, letting it finish what is under way.')
    .option('--wipe', 'remove the embedded data too, for good')
    .helped(['down', 'down --wipe'], [])
    .action(async (options: { wipe?: boolean }, command: TillboxCommand) => {
      const { readConfig } = await import('../platform/config.ts');
      const { bringDown } = await import('../system/bring-down.ts');
      const { forgetRecent } = await import('./recent.ts');
      const { openTerminal } = await import('./terminal/terminal.ts');
      const terminal = await openTerminal(command);
      const { home } = readConfig(process.env);
      const { wasRunning, wiped } = await bringDown(home, { wipe: options.wipe === true });
      if (wiped) forgetRecent(home);
      terminal.result({ was_running: wasRunning, wiped }, () =>
        [
          wasRunning ? 'tillbox is down' : 'Nothing was running',
          ...(wiped ? ['The embedded data are gone'] : []),
        ].join('\n'),
      );
    });
}
