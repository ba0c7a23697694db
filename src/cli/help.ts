import { Command, CommanderError } from 'commander';
import type { TillboxCommand } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { formatTerms } from './terminal/wrap.ts';

/** Pages on what concerns every command: each answers its text, within these columns. */
export const topics: Readonly<Record<string, (columns: number) => Promise<string>>> = {
  environment: async (columns) => {
    const { environmentVariables } = await import('../platform/config.ts');
    const variables = formatTerms(Object.entries(environmentVariables), columns);
    return `Environment (flags win over it):\n${variables}\n`;
  },
  'exit-codes': async (columns) =>
    `Exit codes:\n${formatTerms(
      Object.entries(exitCodes).map(([code, text]) => [code.padStart(3), text]),
      columns,
    )}\n`,
};

/** `tillbox help [COMMAND|TOPIC]`: the help of a command, or a page on what concerns them all. */
export function addHelp(program: TillboxCommand): void {
  const names = Object.keys(topics);
  program
    .command('help')
    .description(`Print the help of a command, or about: ${names.join(', ')}.`)
    .usage(`[COMMAND|${names.join('|')}]`)
    .argument('[words...]', 'a command or a topic')
    .helped(['help create-order', 'help exit-codes'], [])
    .action(async (words: string[], _options: object, command: TillboxCommand) => {
      const page = words.length === 1 ? topics[words[0] ?? ''] : undefined;
      if (page !== undefined) process.stdout.write(await page(command.helpColumns));
      else find(program, words, command).outputHelp();
    });
}

function find(program: TillboxCommand, words: readonly string[], help: TillboxCommand): TillboxCommand {
  let found = program;
  for (const word of words) {
    const next = found.commands.find((command) => command.name() === word);
    if (next === undefined) {
      const names = found.commands.map((command) => command.name());
      const hint = suggestion(word, found === program ? [...names, ...Object.keys(topics)] : names);
      throw help.usageError(`There is no command or topic '${words.join(' ')}'.${hint}`);
    }
    found = next as TillboxCommand;
  }
  return found;
}

/** What commander would suggest for a word that is none of these: `\n(Did you mean …?)`, or nothing. */
function suggestion(word: string, names: readonly string[]): string {
  const guesser = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  for (const name of names) guesser.command(name);
  try {
    guesser.parse([word], { from: 'user' });
    return '';
  } catch (error) {
    return error instanceof CommanderError ? (/\n\(Did you mean .*\)$/.exec(error.message)?.[0] ?? '') : '';
  }
}
