import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { TillboxCommand } from '../../../src/cli/command.ts';
import { exitCodes } from '../../../src/cli/exit-codes.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { commandsOf, referenceText } from '../../../src/cli/reference.ts';
import { environmentVariables } from '../../../src/platform/config.ts';

/** The help of a command as it is printed on a terminal so wide. */
function helpOf(command: TillboxCommand, columns: number): string {
  let help = '';
  command
    .configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => columns })
    .outputHelp();
  return help;
}

/** Names of values that are numbers, and what their description must say of them. */
const numbers = /^(n|seconds|=seconds|time|share|number|amount|days|ms)$/;
const units =
  /seconds?|\bs\b|\bms\b|\d(s|m|h)\b|\d%|orders?|entries|dead letters|requests|accounts|lines|at most|decimals|such as|repeats/;

/** A command line as its words; quotes hold words together. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, one, two, bare]) => one ?? two ?? bare ?? '',
  );
}

describe('the help', () => {
  const program = createProgram();
  const commands = commandsOf(program);

  it('knows all commands, those in groups too', () => {
    const names = commands.map(({ fullName }) => fullName);
    expect(names).to.include.members(['tillbox up', 'tillbox doctor', 'tillbox dead-letters redrive']);
    expect(names).not.to.include('tillbox complete');
  });

  for (const command of commands) {
    describe(`of ${command.fullName}`, () => {
      it('says in one sentence what it does', () => {
        expect(command.description()).to.match(/^[A-Z].*[^.]\.$/);
      });

      it('says of every argument and option what it is, with its unit', () => {
        for (const argument of command.registeredArguments) {
          expect(argument.description, argument.name()).not.to.equal('');
        }
        for (const { flags, description } of command.options) {
          expect(description, flags).not.to.equal('');
          const value = /[<[]([^>\].]+)/.exec(flags)?.[1] ?? '';
          if (numbers.test(value)) expect(description, flags).to.match(units);
        }
      });

      it('has two examples that it would understand', () => {
        expect(command.examples.length).to.be.at.least(2);
        for (const example of command.examples) {
          const words = wordsOf(example.replace(/^([A-Z_]+=\S+ )+/, '').replace(/ [<>|].*$/, ''));
          const path = command.fullName.split(' ');
          const isGroup = command.commands.length > 0;
          expect(words.slice(0, path.length), example).to.deep.equal(path);
          if (isGroup) continue;
          const known = command.options.flatMap(({ long, short }) => [long, short]);
          for (const word of words.filter((text) => /^--?[a-z]/.test(text))) {
            expect(known, example).to.include(word.split('=')[0]);
          }
        }
      });

      it('names defaults that are not told anyway', () => {
        for (const { defaultValue } of command.options) {
          if (typeof defaultValue === 'string') expect(helpOf(command, 200)).to.contain(defaultValue);
        }
      });

      it('says how it may end', () => {
        expect(command.exitCodes.slice(0, 3)).to.deep.equal([0, 1, 2]);
        expect(command.exitCodes).to.deep.equal([...new Set(command.exitCodes)].sort((a, b) => a - b));
        for (const code of command.exitCodes) expect(exitCodes).to.have.property(String(code));
      });

      for (const columns of [40, 80, 200]) {
        it(`fits a terminal of ${columns} columns, but for single words that are longer`, () => {
          const lines = helpOf(command, columns).split('\n');
          const long = lines.filter((line) => line.length > columns && line.trim().includes(' '));
          // Lines to be put into a file of the shell, and values that no shell would break.
          const whole = /^ {2}(bash|zsh|fish|\$ [A-Z_]+=\S+) /;
          expect(long.filter((line) => !whole.test(line))).to.deep.equal([]);
        });
      }
    });
  }

  for (const columns of [40, 80, 200]) {
    it(`of everything fits a terminal of ${columns} columns`, () => {
      const lines = helpOf(createProgram(), columns).split('\n');
      expect(lines.filter((line) => line.length > columns)).to.deep.equal([]);
    });
  }

  it('makes the reference in docs/reference.md; when this fails: npm run reference', async () => {
    const written = readFileSync(new URL('../../../docs/reference.md', import.meta.url), 'utf8');
    expect(written === (await referenceText(createProgram()))).to.equal(true);
  });

  it('has every command, variable and exit code in the reference', async () => {
    const text = await referenceText(createProgram());
    for (const { fullName } of commands) expect(text).to.contain(`## ${fullName}\n`);
    for (const name of Object.keys(environmentVariables)) expect(text).to.contain(name);
    for (const [code, meaning] of Object.entries(exitCodes)) expect(text).to.contain(`${code}  ${meaning}`);
  });
});
