import type { TillboxCommand } from './command.ts';

/** `tillbox dead-letters list|show|redrive|discard`. */
export function addDeadLetters(program: TillboxCommand): void {
  const group = program
    .command('dead-letters')
    .description('Deal with the messages that could not be processed.')
    .usage('list|show|redrive|discard [options]')
    .helpCommand(false)
    .helped(
      ['dead-letters list', 'dead-letters redrive --all --dry-run'],
      [4, 5, 6, 7, 130],
    ) as TillboxCommand;
  addList(group);
  addShow(group);
  addRedrive(group);
  addDiscard(group);
}

/** For a shell to offer; `dead-letters-arguments.ts` has the rule. */
const queues = ['payment-requests', 'payment-results'];

function addList(group: TillboxCommand): void {
  group
    .command('list')
    .description('List dead letters, oldest first.')
    .usage('[options]')
    .option('--queue <queue>', 'only those of payment-requests or payment-results')
    .option('--reason <reason>', 'only those with this reason, such as unknown-type')
    .option('--discarded', 'those that were discarded, latest first, with who and why')
    .option('--limit <n>', 'dead letters at most, 1 to 10000 (default: 50)')
    .pages()
    .suggests('--queue', queues)
    .helped(['dead-letters list', 'dead-letters list --reason unknown-type --json'], [4, 7])
    .action(async (options, command: TillboxCommand) => {
      const { list } = await import('./dead-letters-read.ts');
      await list(command, options);
    });
}

function addShow(group: TillboxCommand): void {
  group
    .command('show')
    .description('Print everything about a dead letter.')
    .usage('ID [options]')
    .argument('<id>', 'the dead letter, as list prints it')
    .helped(
      [
        'dead-letters show 0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65',
        'dead-letters show 0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65 --json',
      ],
      [4, 5, 7],
    )
    .action(async (id: string, _options: object, command: TillboxCommand) => {
      const { show } = await import('./dead-letters-read.ts');
      await show(command, id);
    });
}

function addRedrive(group: TillboxCommand): void {
  selecting(group.command('redrive'))
    .description('Put the messages of dead letters back into their queue. Safe to repeat.')
    .helped(
      [
        'dead-letters redrive 0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65',
        'dead-letters redrive --reason unknown-order --dry-run',
        'dead-letters redrive --all --yes',
      ],
      [4, 5, 6, 7, 130],
    )
    .action(async (ids: string[], options, command: TillboxCommand) => {
      const { handle } = await import('./dead-letters-handle.ts');
      await handle({ action: 'redriven', ids, options, command });
    });
}

function addDiscard(group: TillboxCommand): void {
  selecting(group.command('discard'))
    .description('Give dead letters up. Who and why is remembered.')
    .option('--why <text>', 'why they may be given up (required)')
    .helped(
      [
        'dead-letters discard 0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65 --why "sent by a test"',
        'dead-letters discard --reason unknown-type --why "the supplier was told" --yes',
      ],
      [4, 5, 6, 7, 130],
    )
    .action(async (ids: string[], options, command: TillboxCommand) => {
      const { handle } = await import('./dead-letters-handle.ts');
      await handle({ action: 'discarded', ids, options, command });
    });
}

function selecting(command: TillboxCommand): TillboxCommand {
  return command
    .suggests('--queue', queues)
    .usage('ID…|--reason REASON|--all [options]')
    .argument('[ids...]', 'the dead letters, as list prints them')
    .option('--reason <reason>', 'all that wait with this reason')
    .option('--all', 'all that wait')
    .option('--queue <queue>', 'of these, only those of payment-requests or payment-results')
    .option('--dry-run', 'only say what would be done')
    .option('-y, --yes', 'do not ask')
    .option('--who <text>', 'who does it (default: you at this machine)') as TillboxCommand;
}
