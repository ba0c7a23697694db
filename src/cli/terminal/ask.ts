import inquirer from 'inquirer';
import type { Argument } from '../arguments.ts';

/** A question was left without an answer: the input ended (Ctrl-D). In a command that is an interruption. */
export class InputEnded extends Error {
  override readonly name = 'ExitPromptError';
}

/** How questions look. */
export interface AskOptions {
  colour: boolean;
}

/** Something to choose. */
export interface Choice<Value> {
  name: string;
  value: Value;
  /** Shown below the list while it is the one. */
  description?: string;
  /** Shown in place of the name once it is chosen. */
  short?: string;
}

/** Asks a person for an argument until it keeps its rule. `initial` is what Enter alone answers. */
export async function ask(
  argument: Argument<unknown>,
  options: AskOptions & { initial?: string | undefined },
): Promise<string> {
  const { initial } = options;
  const answer = await answerTo<string>(options, {
    type: 'input',
    message: `${argument.question}:`,
    ...(initial === undefined ? {} : { default: initial }),
    validate: (text: string) => argument.read(text.trim()) !== undefined || `It ${argument.rule}.`,
  });
  return answer.trim();
}

/** Asks a person whether to go on; what Enter alone answers is `initial`. */
export function confirm(
  question: string,
  options: AskOptions & { initial?: boolean } = { colour: true },
): Promise<boolean> {
  return answerTo(options, { type: 'confirm', message: question, default: options.initial ?? false });
}

/** Lets a person choose one of a few. */
export function choose<Value>(
  message: string,
  choices: readonly Choice<Value>[],
  options: AskOptions & { initial?: Value },
): Promise<Value> {
  const { initial } = options;
  return answerTo(options, {
    type: 'select',
    message,
    choices,
    pageSize: 12,
    loop: false,
    ...(initial === undefined ? {} : { default: initial }),
  });
}

/** Lets a person choose one of many by typing a part of it; `find` answers what fits what is typed. */
export function search<Value>(
  message: string,
  find: (typed: string) => readonly Choice<Value>[],
  options: AskOptions,
): Promise<Value> {
  return answerTo(options, {
    type: 'search',
    message,
    pageSize: 10,
    source: (typed: string | undefined) => find((typed ?? '').trim()),
  });
}

/** Questions go to stderr: stdout is for results. */
async function answerTo<Answer>({ colour }: AskOptions, question: object): Promise<Answer> {
  // The only way to tell inquirer.
  if (!colour) process.env['NO_COLOR'] = '1';
  const leaving = new AbortController();
  const prompt = inquirer.createPromptModule({ output: process.stderr, signal: leaving.signal });
  // At Ctrl-D a prompt is closed without an answer, and nothing is left to do. It is told to leave, so that it
  // gives the cursor back.
  const end = () => leaving.abort();
  process.once('beforeExit', end);
  try {
    const answers = await prompt([{ name: 'answer', ...question } as Parameters<typeof prompt>[0]] as never);
    return (answers as { answer: Answer }).answer;
  } catch (error) {
    throw leaving.signal.aborted ? new InputEnded('The input ended.') : error;
  } finally {
    process.off('beforeExit', end);
  }
}
