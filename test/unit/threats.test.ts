import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Each test the page names: its file, and how its name begins or goes on. */
function namedTests(page: string): { file: string; name: string }[] {
  const rows = page.split('\n').filter((line) => line.startsWith('| ') && line.includes('`: `'));
  return rows.flatMap((row) => {
    let file = '';
    const cell = row.split(' | ').at(-1) ?? '';
    return [...cell.matchAll(/`([^`]+)`(:)?/g)].flatMap(([, text = '', colon]) => {
      if (colon !== undefined) file = text;
      return colon === undefined ? [{ file, name: text }] : [];
    });
  });
}

/** The names of the tests of a file, as they stand in it. */
function titlesOf(text: string): string[] {
  const call = /^\s*(?:it|describe)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gms;
  return [...text.matchAll(call)].map(([, , title = '']) => title);
}

describe('the table of threats', () => {
  const page = readFileSync(join(root, 'docs/threats.md'), 'utf8');
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' });

  it('has a row for each of the OWASP ten, with a defence and a test', () => {
    for (let number = 1; number <= 10; number += 1) {
      const row = page.split('\n').find((line) => line.startsWith(`| **API${number}** `)) ?? '';
      expect(row.split(' | '), `API${number}`).to.have.length(3);
      expect(namedTests(row), `API${number}`).not.to.deep.equal([]);
    }
  });

  for (const { file, name } of namedTests(page)) {
    it(`names a test there is: ${file}: ${name}`, () => {
      const path = files.find((candidate) => basename(candidate) === `${file}.test.ts`);
      expect(path, `${file}.test.ts`).not.to.equal(undefined);
      const titles = titlesOf(readFileSync(join(root, 'test', path ?? ''), 'utf8'));
      // A name may be made of a template: what stands before the first variable is looked for.
      expect(titles.some((title) => title.includes(name))).to.equal(true);
    });
  }
});
