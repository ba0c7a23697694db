import type { EntryView } from '../payments/account.ts';
import type { TillboxCommand } from './command.ts';
import type { Terminal } from './terminal/terminal.ts';

/** Columns below which a terminal is spared long times. */
const wideColumns = 100;

/** `tillbox statement USER`. */
export function addStatement(program: TillboxCommand): void {
  program
    .command('statement')
    .description('List the ledger entries of an account, newest first.')
    .usage('USER [options]')
    .argument('[user]', 'whose account')
    .option('--limit <n>', 'entries at most, 1 to 10000 (default: 50)')
    .option('--cursor <cursor>', 'go on where an earlier list ended')
    .pages()
    .helped(['statement alice', 'statement alice --limit 500 --json'], [4, 5, 7, 130])
    .action(run);
}

async function run(
  user: string | undefined,
  options: { limit?: string; cursor?: string },
  command: TillboxCommand,
) {
  const { openClient } = await import('./gateway/client.ts');
  const { readArgument, requireArgument, userArgument } = await import('./arguments.ts');
  const { limitArgument, readPages, rowsDefault } = await import('./gateway/pages.ts');
  const { gateway, terminal, remember } = await openClient(command);
  const limit = options.limit === undefined ? rowsDefault : readArgument(limitArgument, options.limit);
  const userId = await requireArgument(userArgument, user, { terminal, command });
  const path = `/accounts/${userId}/entries`;
  const query = { cursor: options.cursor };
  const list = await readPages<EntryView>(gateway, { path, query, field: 'entries', limit });
  remember({ users: [userId] });
  const text = await formatEntries(list.rows, terminal);
  await terminal.list({ entries: list.rows, next_cursor: list.next_cursor }, () => text);
  if (list.rows.length === 0) terminal.note(`User ${userId} has no entries yet.`);
  else terminal.noteMore(list.next_cursor);
}

async function formatEntries(entries: readonly EntryView[], terminal: Terminal): Promise<string> {
  if (entries.length === 0) return '';
  const { formatTable } = await import('./terminal/table.ts');
  const { formatLocalTime, formatShortTime } = await import('./terminal/times.ts');
  const { visible } = await import('./terminal/terminal-text.ts');
  const { paint, columns } = terminal;
  const isNarrow = columns !== undefined && columns < wideColumns;
  const now = new Date();
  return formatTable(
    entries,
    [
      { heading: 'SEQ', text: ({ seq }) => visible(String(seq)), align: 'right' },
      {
        heading: 'TIME',
        text: ({ created_at }) => (isNarrow ? formatShortTime(created_at, now) : formatLocalTime(created_at)),
      },
      { heading: 'KIND', text: ({ kind }) => visible(kind) },
      { heading: 'AMOUNT', text: ({ amount }) => visible(amount), align: 'right' },
      { heading: 'BALANCE', text: ({ balance }) => visible(balance), align: 'right' },
      {
        heading: 'FROM',
        text: ({ topup_id, order_id }) => visible(order_id ?? topup_id ?? ''),
        whole: true,
        paint: (_entry, text) => paint.faint(text),
      },
    ],
    { paint, columns },
  );
}
