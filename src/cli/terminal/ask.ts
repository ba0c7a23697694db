import inquirer from 'inquirer';
import type { Argument } from '../arguments.ts';

/** Asks a person for an argument until it keeps its rule. Questions go to stderr: stdout is for results. */
export async function ask(argument: Argument<unknown>, options: { colour: boolean }): Promise<string> {
  // The only way to tell inquirer.
  if (!options.colour) process.env['NO_COLOR'] = '1';
  const prompt = inquirer.createPromptModule({ output: process.stderr });
  const { answer } = await unlessInputEnds(
    prompt([
      {
        type: 'input',
        name: 'answer',
        message: `${argument.question}:`,
        validate: (text: string) => argument.read(text.trim()) !== undefined || `It ${argument.rule}.`,
      },
    ]),
  );
  return answer.trim();
}

/** Asks a person whether to go on; the answer is no unless they say yes. */
export async function confirm(question: string): Promise<boolean> {
  const prompt = inquirer.createPromptModule({ output: process.stderr });
  const { answer } = await unlessInputEnds(
    prompt([{ type: 'confirm', name: 'answer', message: question, default: false }]),
  );
  return answer;
}

/** At Ctrl-D a prompt is closed without an answer, and nothing is left to do: that is an interruption. */
function unlessInputEnds<Answers>(answers: Promise<Answers>): Promise<Answers> {
  return new Promise((resolve, reject) => {
    const end = () => reject(Object.assign(new Error('the input ended'), { name: 'ExitPromptError' }));
    process.once('beforeExit', end);
    answers.then(resolve, reject).finally(() => process.off('beforeExit', end));
  });
}
