import { CommanderError } from 'commander';
import type { AccountView } from '../../payments/account.ts';
import { CodedError } from '../../platform/errors.ts';
import type { TillboxCommand } from '../command.ts';
import { type Client, openClient } from '../gateway/client.ts';
import { ExitWith, reportError } from '../report-error.ts';
import { type AskOptions, InputEnded } from '../terminal/ask.ts';
import { plainPaint } from '../terminal/paint.ts';
import { shellWords } from './shell-words.ts';

/** Runs a command as the command line would, from its words. */
export type RunCommand = (words: readonly string[]) => Promise<unknown>;

/**
 * A person at a terminal, who does one thing after the other. What they choose is run as the command that does
 * it, and that is shown, so that they learn it.
 */
export class Session {
  client: Client;
  readonly #program: TillboxCommand;
  readonly #run: RunCommand;
  /** Whom it is about; and what they did last, to be offered again. */
  user = '';
  amount: string | undefined;

  private constructor(client: Client, program: TillboxCommand, run: RunCommand) {
    this.client = client;
    this.#program = program;
    this.#run = run;
  }

  static async open(program: TillboxCommand, run: RunCommand): Promise<Session> {
    return new Session(await openClient(program), program, run);
  }

  get asking(): AskOptions {
    return { colour: this.client.terminal.paint !== plainPaint };
  }

  /** Says something that is no result. */
  say(text: string): void {
    this.client.terminal.note(text);
  }

  /** Shows the command that does what was just done. */
  teach(words: readonly string[]): void {
    const { paint } = this.client.terminal;
    this.say(`${paint.faint('The same as a command:')} ${paint.heading(`tillbox ${shellWords(words)}`)}\n`);
  }

  /**
   * Runs a command and shows it. What goes wrong is told as the command tells it, and the session goes on.
   * @returns whether it went well
   */
  async perform(words: readonly string[]): Promise<boolean> {
    const flags = ['--no-hints', ...(this.asking.colour ? [] : ['--no-color'])];
    let isDone = true;
    try {
      await this.#run([...flags, ...words]);
    } catch (error) {
      if (error instanceof Error && error.name === 'ExitPromptError') throw error;
      isDone = false;
      if (!(error instanceof ExitWith || error instanceof CommanderError)) {
        reportError(error, { json: false, debug: false, stderr: process.stderr });
      }
    }
    process.exitCode = 0;
    await this.reopen();
    this.teach(words);
    return isDone;
  }

  /** Does something. A gateway that is away, or refuses, is told, and no reason to leave. */
  async goingOn(action: (session: Session) => Promise<unknown>): Promise<void> {
    try {
      await action(this);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      reportError(error, { json: false, debug: false, stderr: process.stderr });
    }
  }

  /** Looks again where the gateway is; an interruption is this session's again, and no earlier command's. */
  async reopen(): Promise<void> {
    process.removeAllListeners('SIGINT');
    this.client = await openClient(this.#program);
  }

  /** The account of the user; undefined when there is none, null when nobody can say. */
  async account(): Promise<AccountView | undefined | null> {
    try {
      return await this.client.gateway.get<AccountView>(`/accounts/${this.user}`);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return error.code === 'account-not-found' ? undefined : null;
    }
  }
}

/** How a session that was left by a key ends: with Ctrl-D well, with Ctrl-C as interrupted. Else it throws. */
export function exitCodeOfLeaving(error: unknown): number {
  if (error instanceof InputEnded) return 0;
  if (error instanceof Error && error.name === 'ExitPromptError') return 130;
  throw error;
}
