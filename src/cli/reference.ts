import type { Argument, Option } from 'commander';
import { describeOption, type TillboxCommand } from './command.ts';
import { topics } from './help.ts';

/** Of what is printed as it is. */
const referenceColumns = 100;
/** The options every command takes, told once. */
const sharedOptions = ['--json', '--no-input', '--no-color', '--help'];

/** The reference of all commands as Markdown, from the same definitions as their help. */
export async function referenceText(program: TillboxCommand): Promise<string> {
  const shared = program.options.concat(helpOption(program)).filter(isShared);
  const pages = Object.entries(topics).map(
    async ([name, page]) => `## tillbox help ${name}\n\n${block(await page(referenceColumns))}`,
  );
  const sections = [
    `# tillbox: the commands\n\nMade by \`npm run reference\` from the definitions of the commands; do not edit.`,
    program.description(),
    `Every command takes these:\n\n${options(program, shared)}`,
    ...commandsOf(program).map((command) => section(command)),
    ...(await Promise.all(pages)),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** Every command that help shows, groups before what is in them. */
export function commandsOf(command: TillboxCommand): TillboxCommand[] {
  const shown = command.createHelp().visibleCommands(command) as TillboxCommand[];
  return shown.flatMap((sub) => [sub, ...commandsOf(sub)]);
}

function section(command: TillboxCommand): string {
  const own = command.options.filter((option) => !isShared(option) && !option.hidden);
  const args = command.registeredArguments.filter(({ description }) => description !== '');
  const codes = command.exitCodeTerms().map(([code, meaning]) => `${code}  ${meaning}`);
  return [
    `## ${command.fullName}`,
    command.description(),
    block(command.usageText(referenceColumns).replaceAll(/^(Usage:| {6}) /gm, '')),
    ...(args.length > 0 ? [args.map((argument) => argumentLine(command, argument)).join('\n')] : []),
    ...(own.length > 0 ? [options(command, own)] : []),
    ...(command.explanation === '' ? [] : [block(command.explanation)]),
    `Examples:\n\n${block(command.examples.join('\n'))}`,
    `Exit codes:\n\n${block(codes.join('\n'))}`,
  ].join('\n\n');
}

function argumentLine(command: TillboxCommand, argument: Argument): string {
  return `- \`${command.createHelp().argumentTerm(argument)}\`: ${prose(argument.description)}`;
}

function options(command: TillboxCommand, shown: readonly Option[]): string {
  const help = command.createHelp();
  return shown
    .map((option) => `- \`${help.optionTerm(option)}\`: ${prose(describeOption(option))}`)
    .join('\n');
}

function helpOption(command: TillboxCommand): Option[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long === '--help');
}

function isShared({ long }: Option): boolean {
  return sharedOptions.includes(long ?? '');
}

/** What Markdown would take for its own. */
function prose(text: string): string {
  return text.replaceAll(/[*_<>|]/g, '\\$&');
}

function block(text: string): string {
  return `\`\`\`\n${text.trimEnd()}\n\`\`\``;
}
