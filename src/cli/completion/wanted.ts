import type { Argument, Option } from 'commander';
import type { TillboxCommand } from '../command.ts';

/** Something that may stand at a place of the command line. */
export interface Candidate {
  value: string;
  /** What it is, in a line; may be empty. */
  description: string;
}

/** What may stand there: these, or ids that live somewhere else. */
export type Wanted = { kind: 'these'; candidates: Candidate[] } | { kind: 'user-id' } | { kind: 'order-id' };

/** Where the words before the last one lead. */
interface Place {
  command: TillboxCommand;
  /** How many arguments the command has by now. */
  given: number;
  /** The option whose value comes next. */
  option: Option | undefined;
  /** Behind `--`, where nothing is an option. */
  literal: boolean;
}

/**
 * What may stand at the place of the last word. Pure.
 * @param words the command line behind `tillbox`, up to the cursor
 * @param topics of `tillbox help`
 */
export function wantedAt(
  program: TillboxCommand,
  words: readonly string[],
  topics: readonly string[],
): Wanted {
  const current = words.at(-1) ?? '';
  const { command, given, option, literal } = placeAfter(program, words.slice(0, -1));
  if (option !== undefined) return these(valuesOf(command, option));
  if (current.startsWith('-') && !literal) return these(optionsFor(command, current));
  const subcommands = command.createHelp().visibleCommands(command);
  if (given === 0 && subcommands.length > 0) {
    return these(subcommands.map((sub) => ({ value: sub.name(), description: sub.description() })));
  }
  if (command.name() === 'help' && given === 0) {
    const commands = program.createHelp().visibleCommands(program);
    const pages = topics.map((value) => ({ value, description: 'about every command' }));
    return these([
      ...commands.map((sub) => ({ value: sub.name(), description: sub.description() })),
      ...pages,
    ]);
  }
  return wantedByArgument(command, argumentAt(command, given));
}

function placeAfter(program: TillboxCommand, words: readonly string[]): Place {
  const place: Place = { command: program, given: 0, option: undefined, literal: false };
  for (const word of words) {
    const isOption = !place.literal && word.startsWith('-') && word !== '-';
    if (place.option !== undefined && !isOption) {
      if (!place.option.variadic) place.option = undefined;
      continue;
    }
    place.option = undefined;
    const subcommand = place.command.commands.find((command) => command.name() === word);
    if (word === '--') place.literal = true;
    else if (isOption) {
      const option = optionNamed(place.command, word);
      // Only `<value>` takes the next word; `[=value]` stands behind a `=`.
      if (option?.required === true && !word.includes('=')) place.option = option;
    } else if (subcommand !== undefined && place.given === 0) place.command = subcommand as TillboxCommand;
    else place.given += 1;
  }
  return place;
}

function optionNamed(command: TillboxCommand, word: string): Option | undefined {
  const name = word.split('=')[0];
  return command.options.find(({ long, short }) => long === name || short === name);
}

/** The options, or behind `--option=` its values. */
function optionsFor(command: TillboxCommand, current: string): Candidate[] {
  const option = current.includes('=') ? optionNamed(command, current) : undefined;
  if (option !== undefined) {
    const values = valuesOf(command, option);
    return values.map(({ value, description }) => ({ value: `${option.long}=${value}`, description }));
  }
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, description }) => (long ? [{ value: long, description }] : []));
}

function valuesOf(command: TillboxCommand, option: Option): Candidate[] {
  const values = option.argChoices ?? command.suggestions.get(option.long ?? '') ?? [];
  return values.map((value) => ({ value, description: '' }));
}

function argumentAt({ registeredArguments }: TillboxCommand, index: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic === true ? last : undefined);
}

function wantedByArgument(command: TillboxCommand, argument: Argument | undefined): Wanted {
  if (argument?.argChoices !== undefined) {
    return these(argument.argChoices.map((value) => ({ value, description: '' })));
  }
  if (argument?.name() === 'user') return { kind: 'user-id' };
  // The ids of dead letters are others.
  if (argument?.name() === 'id' && command.parent?.name() === 'tillbox') return { kind: 'order-id' };
  return these([]);
}

function these(candidates: Candidate[]): Wanted {
  return { kind: 'these', candidates };
}
