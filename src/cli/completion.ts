import { Argument } from 'commander';
import type { TillboxCommand } from './command.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

/** `tillbox completion SHELL`, and the hidden `tillbox complete` that the shell asks at every TAB. */
export function addCompletion(program: TillboxCommand): void {
  program
    .command('completion')
    .description('Print what makes a shell complete commands, options, user ids and order ids of tillbox.')
    .usage('bash|zsh|fish [options]')
    .addArgument(new Argument('<shell>', 'for which shell').choices(shells))
    .helped(['completion bash', 'completion fish'], [])
    .explained(explanation)
    .action(async (shell: (typeof shells)[number]) => {
      const { completionScripts } = await import('./completion/scripts.ts');
      process.stdout.write(completionScripts[shell]);
    });
  program
    .command('complete', { hidden: true })
    .description('Print what may stand at the place of the last word.')
    .usage('-- WORDS…')
    .argument('[words...]', 'the command line behind tillbox, up to the cursor')
    .helped(['complete -- ord', 'complete -- order ""'], [])
    .action(async (words: string[]) => {
      const { printCandidates } = await import('./completion/print-candidates.ts');
      await printCandidates(program, words);
    });
}

const explanation = `\
To have it in every new shell:
  bash  echo 'eval "$(tillbox completion bash)"' >> ~/.bashrc
  zsh   echo 'eval "$(tillbox completion zsh)"' >> ~/.zshrc
  fish  tillbox completion fish > ~/.config/fish/completions/tillbox.fish

User and order ids are those that commands on this machine had to do with. Where an order id is wanted,
a user id completes to the ids of that user's newest orders.`;
