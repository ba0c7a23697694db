import type { TillboxCommand } from './command.ts';

interface UpOptions {
  detach?: boolean;
  ephemeral?: boolean;
  instances?: string[];
}

const explanation = `\
The log of all daemons goes to standard error: for people at a terminal, else, and with --json, as the JSON lines they
write.`;

/** `tillbox up`: the whole system on this machine. */
export function addUp(program: TillboxCommand): void {
  program
    .command('up')
    .description(
      'Run everything: Postgres (embedded, unless database URLs are set), migrations, gateway, services.',
    )
    .option('--detach', 'return when everything is ready; tillbox down ends it')
    .option('--ephemeral', 'with fresh databases that vanish at the end')
    .option('--instances <service=N...>', 'how many processes of a service, such as payments=2')
    .suggests('--instances', ['orders=', 'payments='])
    .helped(['up', 'up --detach --instances orders=2 payments=2'], [4, 6, 7, 130])
    .explained(explanation)
    .action(async (options: UpOptions, command: TillboxCommand) => {
      const { readInstances } = await import('./instances.ts');
      const instances = readInstances(options.instances);
      if (options.detach) {
        const { upDetached } = await import('./up-detached.ts');
        await upDetached(command, options);
      } else {
        const { upInForeground } = await import('./up-in-foreground.ts');
        await upInForeground(command, { ephemeral: options.ephemeral === true, instances });
      }
    });
}
