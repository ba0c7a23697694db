import { Command, Option } from 'commander';
import { CodedError } from '../platform/errors.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { formatTerms, reflow, wrap, wrapCommand } from './terminal/wrap.ts';

/** What the options that every command takes say. */
export interface SharedOptions {
  /** One JSON document on stdout instead of text. */
  json: boolean;
  /** Whether a missing argument may be asked for, as far as the options say. */
  input: boolean;
  /** Whether colour is allowed, as far as the options say. */
  color: boolean;
  /** Whether a person may be told what to type next. */
  hints: boolean;
}

/**
 * An option `--name[=value]`: its value stands behind `=` or it is the default; what follows is an argument.
 * @param flags such as `--wait [=seconds]`
 */
export function optionWithDefault(flags: string, description: string, value: string): Option {
  return new Option(flags, description).preset(value);
}

const usageIndent = ' '.repeat('Usage: '.length + 2);

/** What `--batch` reads and prints, for the help; `line` is an object as it may stand on a line. */
const batchExplanation = (line: object) => `\
With --batch every line of stdin is an object with the fields of the HTTP body, such as
  ${JSON.stringify(line)}
and, if it likes, an idempotency_key of its own. Every line is answered by a line, in the same order:
what HTTP answers, or a problem document with the number of the line; an empty line by an empty line.
Exit code 1: a line failed. Repeated with the same --idempotency-key, nothing is done twice.`;

/** A word that is none of its choices, told as our own rules are; undefined for another error of commander's. */
function wrongChoice(message: string): string | undefined {
  const { argument, option, value, choices } =
    (
      /value '(?<value>.*)' is invalid for argument '(?<argument>.*)'\. Allowed choices are (?<choices>.*)\.$/s.exec(
        message,
      ) ??
      /'.*--(?<option>[a-z-]+) .*' argument '(?<value>.*)' is invalid\. Allowed choices are (?<choices>.*)\.$/s.exec(
        message,
      )
    )?.groups ?? {};
  if (choices === undefined) return undefined;
  return `${argument?.toUpperCase() ?? `--${option}`} must be one of ${choices}. It was "${value}"`;
}

/** Below, a list of commands has no room for what they take. */
const narrowColumns = 70;

/** What an option is, with its default where it is not told anyway. */
export function describeOption({ description, defaultValue }: Option): string {
  const isTold = typeof defaultValue !== 'string' || description.includes('default');
  return isTold ? description : `${description} (default: ${defaultValue})`;
}

/**
 * A command of ours: the options that every command takes, help in one form, usage errors as CodedErrors.
 * `program.command(name)` makes one.
 */
export class TillboxCommand extends Command {
  /** As they are typed, the leading `tillbox` included. */
  examples: readonly string[] = [];
  exitCodes: readonly ExitCode[] = [];
  explanation = '';
  /** Of the whole program: called when its command has ended, with what it failed of. */
  atEnd: ((failure: unknown) => Promise<void>) | undefined;
  /** Values of options that a shell offers, by the option's long name; others may be right too. */
  readonly suggestions = new Map<string, readonly string[]>();

  constructor(name?: string) {
    super(name);
    this.option('--json', 'print JSON: what HTTP answers')
      .option('--no-input', 'never ask')
      .option('--no-color', 'no colour')
      // Of the session, which asks what to do next anyway.
      .addOption(new Option('--no-hints', 'no word on what to do next').hideHelp())
      // Everything behind a command is that command's: so `--` keeps its meaning there.
      .enablePositionalOptions()
      .allowExcessArguments(false)
      .helpOption('-h, --help', 'print this help')
      .configureHelp({
        // Below its default of 40, a narrow terminal would break lines within words.
        minWidthToWrap: 10,
        commandUsage: (command) => (command as TillboxCommand).usageText().slice('Usage: '.length),
        subcommandTerm: (command) => {
          const { helpColumns, parent } = command.parent as TillboxCommand;
          // All commands are many: their names alone leave the sentences a line each.
          if (parent === null || helpColumns < narrowColumns) return command.name();
          // What it must be told is enough for a list.
          return `${command.name()} ${command.usage()}`.replace(/ (\[options\]|\[--|\| --).*$/, '');
        },
        argumentTerm: (argument) => argument.name().toUpperCase(),
        optionTerm: ({ flags }) =>
          flags.replace(/ ?([<[])(=?)(.+)([>\]])/, (_all, open, equals, name, close) =>
            open === '<' ? ` ${name.toUpperCase()}` : `[${equals}${name.toUpperCase()}${close}`,
          ),
        optionDescription: describeOption,
      });
  }

  override createCommand(name?: string): TillboxCommand {
    return new TillboxCommand(name);
  }

  /** The options that every command takes, before or behind the command's name. */
  sharedOptions(): SharedOptions {
    const levels: SharedOptions[] = [];
    for (let command: Command | null = this; command !== null; command = command.parent) {
      levels.push(command.opts<SharedOptions>());
    }
    return {
      json: levels.some(({ json }) => json === true),
      input: levels.every(({ input }) => input !== false),
      color: levels.every(({ color }) => color !== false),
      hints: levels.every(({ hints }) => hints !== false),
    };
  }

  /** Adds `--idempotency-key`, for commands that write. */
  writes(): this {
    return this.addOption(
      new Option('--idempotency-key <key>', 'do this once, however often it is repeated with the same key'),
    );
  }

  /** Adds `--batch` and its options, for commands that write what stdin says as well, and tells how. */
  batches(line: object): this {
    return this.explained(batchExplanation(line))
      .option('--batch', 'read JSON objects from stdin, one a line, and print an answer for each')
      .option('--in-flight <n>', 'lines of a batch under way at once, 1 to 1000 (default: 256)');
  }

  /** Adds `--no-pager`, for commands that print long lists. */
  pages(): this {
    return this.option('--no-pager', 'never show a long list in $PAGER (less)');
  }

  /** Adds examples (without the leading `tillbox`) and the exit codes, other than 0, 1 and 2, to the help. */
  helped(examples: readonly string[], codes: readonly ExitCode[]): this {
    // One that sets a variable is written out whole.
    this.examples = examples.map((text) => (/^[A-Z_]+=/.test(text) ? text : `tillbox ${text}`));
    this.exitCodes = [0, 1, 2, ...codes];
    return this.addHelpText('after', () => {
      const shown = this.examples.map((example) => wrapCommand(example, this.helpColumns));
      const ends = formatTerms(this.exitCodeTerms(), this.helpColumns);
      return ['', 'Examples:', ...shown, '', 'Exit codes:', ends].join('\n');
    });
  }

  /** The exit codes, and what each says of this command. */
  exitCodeTerms(): (readonly [code: string, meaning: string])[] {
    const isBatch = this.options.some(({ long }) => long === '--batch');
    return this.exitCodes.map((code) => {
      const meaning: string = exitCodes[code];
      return [String(code).padStart(3), isBatch ? meaning : meaning.replace(/; with --batch.*/, '')];
    });
  }

  /** Lets a shell offer these as values of an option. */
  suggests(option: `--${string}`, values: readonly string[]): this {
    this.suggestions.set(option, values);
    return this;
  }

  /** Adds what does not fit into a sentence, at the end of the help. */
  explained(text: string): this {
    this.explanation = text;
    return this.addHelpText('after', () => `\n${reflow(text, this.helpColumns)}`);
  }

  /** Columns for help: of the terminal, and enough to be readable. */
  get helpColumns(): number {
    return Math.max(this.configureOutput().getOutHelpWidth?.() ?? 80, 40);
  }

  /** The command as a user types it: `tillbox topup`. */
  get fullName(): string {
    return this.parent === null ? this.name() : `${(this.parent as TillboxCommand).fullName} ${this.name()}`;
  }

  /** How the command is called, each of its ways on a line of its own; within these columns. */
  usageText(columns = this.helpColumns): string {
    const ways = this.usage().split(' | ');
    return ways
      .map((way, index) => {
        const lines = wrap(`${this.fullName} ${way}`, columns, usageIndent.length);
        return `${index === 0 ? 'Usage: ' : '       '}${lines.join(`\n${usageIndent}`)}`;
      })
      .join('\n');
  }

  /** A usage error: what is wrong, and where to read on. */
  usageError(message: string): CodedError {
    return new CodedError('usage', `${message}\n${this.usageText()}\nSee ${this.fullName} --help.`);
  }

  /** Every usage error that commander finds comes here. */
  override error(message: string): never {
    const sentence = (wrongChoice(message) ?? message.replace(/^error: /, '')).replace(/[^.?)]$/, '$&.');
    throw this.usageError(sentence.charAt(0).toUpperCase() + sentence.slice(1));
  }

  /** Sees to `optionWithDefault`: commander would take the word behind a bare `--wait` for its value. */
  override parseOptions(argv: string[]): { operands: string[]; unknown: string[] } {
    const optional = new Map(
      this.options.flatMap((option) =>
        option.optional && option.long ? [[option.long, option.presetArg]] : [],
      ),
    );
    const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
    const explicit = argv.map((argument, index) =>
      index < end && optional.has(argument) ? `${argument}=${optional.get(argument)}` : argument,
    );
    return super.parseOptions(explicit);
  }
}
