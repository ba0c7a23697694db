import type { TillboxCommand } from './command.ts';
import { exitCodes } from './exit-codes.ts';

/** `tillbox help [COMMAND|TOPIC]`: the help of a command, or a page on what concerns them all. */
export function addHelp(program: TillboxCommand): void {
  program
    .command('help')
    .description('Print the help of a command, or about: environment, exit-codes.')
    .usage('[COMMAND|environment|exit-codes]')
    .argument('[words...]', 'a command or a topic')
    .helped(['help create-order', 'help exit-codes'], [])
    .action(async (words: string[], _options: object, command: TillboxCommand) => {
      const [topic] = words;
      if (words.length === 1 && topic === 'environment') process.stdout.write(await environmentHelp());
      else if (words.length === 1 && topic === 'exit-codes') process.stdout.write(exitCodesHelp());
      else find(program, words, command).outputHelp();
    });
}

function find(program: TillboxCommand, words: readonly string[], help: TillboxCommand): TillboxCommand {
  let found = program;
  for (const word of words) {
    const next = found.commands.find((command) => command.name() === word);
    if (next === undefined) throw help.usageError(`There is no command or topic '${words.join(' ')}'.`);
    found = next as TillboxCommand;
  }
  return found;
}

async function environmentHelp(): Promise<string> {
  const { environmentVariables } = await import('../platform/config.ts');
  return lines('Environment (flags win over it):', Object.entries(environmentVariables));
}

function exitCodesHelp(): string {
  return lines('Exit codes:', Object.entries(exitCodes));
}

function lines(heading: string, entries: readonly (readonly [string, string])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length));
  return `${heading}\n${entries.map(([name, text]) => `  ${name.padEnd(width)}  ${text}\n`).join('')}`;
}
