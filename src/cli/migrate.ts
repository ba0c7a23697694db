import type { TillboxCommand } from './command.ts';

/** `tillbox migrate`: brings the databases up to date. */
export function addMigrate(program: TillboxCommand): void {
  program
    .command('migrate')
    .description('Bring the databases up to date: tables, roles, privileges, queues. Safe to repeat.')
    .option(
      '--rotate',
      'give every role a new password; daemons that run log in with the new ones by themselves',
    )
    .helped(
      ['migrate', 'migrate --rotate', 'DATABASE_URL=postgres://admin@127.0.0.1/tillbox tillbox migrate'],
      [4, 7],
    )
    .action(async (options: { rotate?: boolean }, command: TillboxCommand) => {
      const { readConfig } = await import('../platform/config.ts');
      const { createLogger } = await import('../platform/logging.ts');
      const { migrate } = await import('../system/migrate.ts');
      const { withDatabases } = await import('../system/with-databases.ts');
      const { openTerminal } = await import('./terminal/terminal.ts');
      const terminal = await openTerminal(command);
      const rotate = options.rotate === true;
      const config = readConfig(process.env);
      const log = createLogger('migrate', config.logLevel);
      const done = await withDatabases(config, (urls) => migrate(urls, log, { rotate }), {
        creates: true,
      });
      terminal.result({ databases: done, rotated: rotate }, () =>
        done
          .map(({ database, migrations }) => `${database}: ${migrations.join(', ') || 'up to date'}`)
          .concat(rotate ? ['passwords: new for every role'] : [])
          .join('\n'),
      );
    });
}
