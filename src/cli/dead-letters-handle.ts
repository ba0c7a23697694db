import type { Handling } from '../messaging/dead-letter-store.ts';
import { CodedError } from '../platform/errors.ts';
import { type Dealt, notFound, type Selected, type Selection, selectedMax } from '../tools/dead-letters.ts';
import { readArgument } from './arguments.ts';
import type { TillboxCommand } from './command.ts';
import { letterIdArgument, readFilter, readWho, readWhy } from './dead-letters-arguments.ts';
import { ExitWith } from './report-error.ts';
import { formatTable } from './terminal/table.ts';
import { openTerminal, type Terminal } from './terminal/terminal.ts';
import { visible } from './terminal/terminal-text.ts';
import { withDeadLetters } from './with-dead-letters.ts';

/** What `redrive` and `discard` were called with. */
interface Call {
  action: 'redriven' | 'discarded';
  ids: readonly string[];
  options: {
    reason?: string;
    all?: boolean;
    queue?: string;
    dryRun?: boolean;
    yes?: boolean;
    who?: string;
    why?: string;
  };
  command: TillboxCommand;
}

/** What both print with --json. `dry_run`: nothing was done, those that are `ready` would be. */
interface HandledDocument {
  dry_run: boolean;
  /** Dead letters by outcome. */
  counts: Partial<Record<Dealt['outcome'], number>>;
  /** Whether more wait than one call takes: repeat it. */
  more: boolean;
  dead_letters: Dealt[];
}

/** `tillbox dead-letters redrive` and `discard`: preview, confirmation, deed, report. */
export async function handle(call: Call): Promise<void> {
  const { action, ids, options, command } = call;
  const terminal = await openTerminal(command);
  const isNamed = checkSelection(call, terminal);
  const selection: Selection = isNamed
    ? { ids: ids.map((id) => readArgument(letterIdArgument, id)) }
    : readFilter(options);
  const who = readWho(options.who);
  const handling: Handling =
    action === 'redriven' ? { action, who } : { action, who, why: readWhy(requireWhy(options.why, command)) };
  const dryRun = options.dryRun === true;
  const dealt = await withDeadLetters(async (letters) => {
    const selected = await letters.select(selection);
    if (dryRun) return selected;
    await confirmIfAsked(selected, { ...call, terminal });
    return { ...selected, letters: await letters.handle(selected.letters, handling) };
  });
  report(dealt, { dryRun, terminal });
  // Where none was named, what somebody else did meanwhile is no failure.
  if (isNamed) throwUnlessDone(dealt.letters, action);
}

/** Answers whether ids were given. */
function checkSelection({ ids, options, command }: Call, terminal: Terminal): boolean {
  const isNamed = ids.length > 0;
  const given = [isNamed, options.reason !== undefined, options.all === true].filter(Boolean).length;
  if (given !== 1) throw command.usageError('Say which: ids, --reason or --all.');
  if (isNamed && options.queue !== undefined) {
    throw command.usageError('--queue goes with --reason or --all, not with ids.');
  }
  if (!isNamed && !terminal.mayAsk && options.yes !== true && options.dryRun !== true) {
    throw command.usageError('Without a terminal to ask on, --reason and --all need --yes (or --dry-run).');
  }
  return isNamed;
}

function requireWhy(why: string | undefined, command: TillboxCommand): string {
  if (why === undefined) throw command.usageError('--why is missing: why may they be given up?');
  return why;
}

async function confirmIfAsked(
  selected: Selected,
  { action, options, terminal }: Call & { terminal: Terminal },
): Promise<void> {
  const ready = selected.letters.filter(({ outcome }) => outcome === 'ready').length;
  if (ready === 0 || options.yes === true || !terminal.mayAsk) return;
  terminal.note(formatOutcomes(selected.letters, terminal));
  const { confirm } = await import('./terminal/ask.ts');
  const verb = action === 'redriven' ? 'Redrive' : 'Discard';
  if (await confirm(`${verb} ${ready} dead ${ready === 1 ? 'letter' : 'letters'}?`)) return;
  terminal.note('Nothing was done.');
  throw new ExitWith(130);
}

function report(
  { letters, more }: Selected,
  { dryRun, terminal }: { dryRun: boolean; terminal: Terminal },
): void {
  const counts: HandledDocument['counts'] = {};
  for (const { outcome } of letters) counts[outcome] = (counts[outcome] ?? 0) + 1;
  const document: HandledDocument = { dry_run: dryRun, counts, more, dead_letters: letters };
  terminal.result(document, () => formatOutcomes(letters, terminal));
  if (terminal.json) return;
  if (letters.length === 0) terminal.note('There are no such dead letters.');
  if (dryRun) terminal.note('This was a dry run: nothing was done.');
  if (more) terminal.note(`There are more than ${selectedMax}: repeat the command.`);
}

/** Of each group so many ids are named. */
const namedMax = 3;
/** An id and the blank behind it; and the indent before, with the ellipsis behind the last. */
const idColumns = 37;
const aroundIds = 3;

/** Dead letters by outcome, queue and reason; a few are named. */
function formatOutcomes(letters: readonly Dealt[], { paint, columns }: Terminal): string {
  if (letters.length === 0) return '';
  const groups = [
    ...Map.groupBy(letters, ({ outcome, queue, reason }) => `${outcome} ${queue} ${reason}`).values(),
  ];
  const first = (group: readonly Dealt[]) => group[0] as Dealt;
  // As many as a line has room for: an id is never cut, nor wrapped.
  const room = columns === undefined ? namedMax : Math.floor((columns - aroundIds) / idColumns);
  const named = Math.min(Math.max(room, 1), namedMax);
  return formatTable(
    groups,
    [
      { heading: 'OUTCOME', text: (group) => first(group).outcome.replace('-', ' ') },
      { heading: 'LETTERS', text: (group) => String(group.length), align: 'right' },
      { heading: 'QUEUE', text: (group) => visible(first(group).queue ?? '') },
      { heading: 'REASON', text: (group) => visible(first(group).reason ?? '') },
      {
        heading: 'IDS',
        whole: true,
        text: (group) => {
          const ids = group.slice(0, named).map(({ id }) => id);
          return ids.join(' ') + (group.length > named ? ' …' : '');
        },
      },
    ],
    { paint, columns },
  );
}

/** Tells of ids that are not there, or that were dealt with in the other way. */
function throwUnlessDone(dealt: readonly Dealt[], action: Call['action']): void {
  const missing = dealt.filter(({ outcome }) => outcome === 'not-found').map(({ id }) => id);
  if (missing.length > 0) throw notFound(missing);
  const fine: readonly Dealt['outcome'][] = [action, `already-${action}`, 'ready'];
  const others = dealt.filter(({ outcome }) => !fine.includes(outcome));
  if (others.length === 0) return;
  const detail = `${others.length} could not be ${action}: they were dealt with in another way before. See tillbox dead-letters show ${others[0]?.id}.`;
  throw new CodedError('conflict', detail);
}
