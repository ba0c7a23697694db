import type { DeadLetterDetails, DeadLetterView } from '../tools/dead-letter-view.ts';
import { readArgument } from './arguments.ts';
import type { TillboxCommand } from './command.ts';
import { letterIdArgument, readFilter } from './dead-letters-arguments.ts';
import { limitArgument, rowsDefault } from './gateway/pages.ts';
import { formatFields } from './terminal/fields.ts';
import { type Column, formatTable } from './terminal/table.ts';
import { openTerminal, type Terminal } from './terminal/terminal.ts';
import { visible, visibleJson } from './terminal/terminal-text.ts';
import { formatAge, formatLocalTime } from './terminal/times.ts';
import { withDeadLetters } from './with-dead-letters.ts';

/** `tillbox dead-letters list`. */
export async function list(
  command: TillboxCommand,
  options: { queue?: string; reason?: string; limit?: string; discarded?: boolean },
): Promise<void> {
  const terminal = await openTerminal(command);
  const filter = readFilter(options);
  const limit = options.limit === undefined ? rowsDefault : readArgument(limitArgument, options.limit);
  const discarded = options.discarded === true;
  const found = await withDeadLetters((letters) => letters.list({ ...filter, discarded, limit }));
  await terminal.list(found, () => formatList(found.dead_letters, discarded, terminal));
  if (terminal.json) return;
  if (found.dead_letters.length === 0)
    terminal.note(`There are no ${discarded ? 'discarded ' : ''}dead letters.`);
  if (found.more) terminal.note('There are more: --limit');
}

function formatList(
  rows: readonly DeadLetterView[],
  discarded: boolean,
  { paint, columns }: Terminal,
): string {
  if (rows.length === 0) return '';
  const shown: Column<DeadLetterView>[] = [
    { heading: 'ID', text: ({ id }) => visible(id) },
    { heading: 'QUEUE', text: ({ queue }) => visible(queue) },
    { heading: 'REASON', text: ({ reason }) => visible(reason) },
    { heading: 'ORDER', text: ({ order_id }) => order_id ?? '' },
    { heading: 'AGE', text: ({ age_s }) => formatAge(age_s), align: 'right' },
  ];
  if (rows.some(({ redriven_from }) => redriven_from !== null)) {
    shown.push({
      heading: 'REDRIVEN',
      text: ({ redriven_from }) => (redriven_from === null ? 'no' : 'before'),
    });
  }
  if (discarded) {
    shown.push({ heading: 'WHO', text: ({ discarded: by }) => visible(by?.who ?? '') });
    shown.push({ heading: 'WHY', text: ({ discarded: by }) => visible(by?.why ?? '') });
  } else shown.push({ heading: 'DETAIL', text: ({ detail }) => visible(detail) });
  return formatTable(rows, shown, { paint, columns });
}

/** `tillbox dead-letters show ID`. */
export async function show(command: TillboxCommand, text: string): Promise<void> {
  const terminal = await openTerminal(command);
  const id = readArgument(letterIdArgument, text);
  const letter = await withDeadLetters((letters) => letters.show(id));
  terminal.result(letter, () => formatLetter(letter, terminal));
}

function formatLetter(letter: DeadLetterDetails, { paint, columns }: Terminal): string {
  const { redriven, discarded, gave_up, messages } = letter;
  const handled = redriven ?? discarded;
  const fields = formatFields(
    [
      ['Dead letter', visible(letter.id)],
      ['State', letter.state === 'waiting' ? paint.open(letter.state) : letter.state],
      ['Queue', visible(letter.queue)],
      ['Reason', visible(letter.reason)],
      ['Detail', visible(letter.detail), 'prose'],
      ['Order', letter.order_id ?? undefined],
      ['Since', `${formatLocalTime(letter.at)} (${formatAge(letter.age_s)})`],
      ['Job', letter.job_id === null ? undefined : visible(letter.job_id)],
      ['Redriven from', letter.redriven_from ?? undefined],
      ['Retries', gave_up === null ? undefined : String(gave_up.retries)],
      ['Ended with', gave_up === null ? undefined : visibleJson(gave_up.output), 'prose'],
      ['By', handled === null ? undefined : `${visible(handled.who)}, ${formatLocalTime(handled.at)}`],
      ['Why', discarded === null ? undefined : visible(discarded.why), 'prose'],
    ],
    paint,
    columns,
  );
  const texts = messages.map((message) => visibleJson(message, 2));
  return `${fields}\n\n${paint.heading(messages.length === 1 ? 'MESSAGE' : `MESSAGES (${messages.length})`)}\n${texts.join('\n')}`;
}
