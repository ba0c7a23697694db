import { expect } from 'chai';
import fc from 'fast-check';
import { formatFields } from '../../../src/cli/terminal/fields.ts';
import { type Column, formatTable } from '../../../src/cli/terminal/table.ts';
import { visible } from '../../../src/cli/terminal/terminal-text.ts';
import { textWidth } from '../../../src/cli/terminal/text-width.ts';
import { formatAmount } from '../../../src/platform/money.ts';

interface Row {
  id: string;
  amount: string;
  text: string;
}
const columns: Column<Row>[] = [
  { heading: 'ID', text: ({ id }) => id },
  { heading: 'AMOUNT', text: ({ amount }) => amount, align: 'right' },
  { heading: 'TEXT', text: ({ text }) => text },
];

const hostile = [
  '\u001b[2J',
  '\u202e',
  '日本語',
  '한글',
  '🎫',
  'e\u0301\u0301',
  'שלום',
  '\t',
  '\n',
  'a',
  ' ',
];
const anyText = fc
  .array(fc.oneof(fc.constantFrom(...hostile), fc.string({ unit: 'grapheme' })))
  .map((parts) => parts.join(''));

describe('a table', () => {
  it('stands its columns in line under their headings', () => {
    const rows = [
      { id: 'a', amount: '5.00', text: 'tea' },
      { id: 'bcd', amount: '-1000.00', text: '' },
    ];
    expect(formatTable(rows, columns).split('\n')).to.deep.equal([
      'ID     AMOUNT  TEXT',
      'a        5.00  tea',
      'bcd  -1000.00',
    ]);
  });

  it('has every decimal point in one column, whatever the amounts', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt(-(10n ** 18n), 10n ** 18n), { minLength: 1 }), (amounts) => {
        const rows = amounts.map((amount) => ({ id: 'x', amount: formatAmount(amount), text: '' }));
        const [, ...lines] = formatTable(rows, columns).split('\n');
        expect(new Set(lines.map((line) => line.indexOf('.'))).size).to.equal(1);
      }),
    );
  });

  it('shortens only its last column to the width of a terminal', () => {
    const rows = [{ id: 'x'.repeat(36), amount: '5.00', text: 'a long description' }];
    const [, line] = formatTable(rows, columns, { columns: 56 }).split('\n');
    expect(line).to.equal(`${'x'.repeat(36)}    5.00  a long d…`.replace('a long d…', 'a long de…'));
    expect(formatTable(rows, columns)).to.contain('a long description');
  });
});

describe('a table on a narrow terminal', () => {
  const id = '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65';

  it('puts what has no room beside an id on further lines, indented', () => {
    const rows = [
      { id, amount: '5.00', text: 'two tickets for tonight, in the front row' },
      { id, amount: '-1000.00', text: '' },
    ];
    expect(formatTable(rows, columns, { columns: 40 }).split('\n')).to.deep.equal([
      'ID',
      '    AMOUNT  TEXT',
      id,
      '      5.00  two tickets for tonight, in…',
      id,
      '  -1000.00',
    ]);
  });

  it('leaves out a further line that says nothing', () => {
    const rows = [{ id, amount: '5.00', text: 'tea' }];
    const sparse = [columns[0] as Column<Row>, { heading: 'NOTE', text: () => '' }];
    expect(formatTable(rows, sparse, { columns: 40 })).to.equal(`ID\n  NOTE\n${id}`);
  });

  it('never shortens a last column that is an id', () => {
    const from: Column<Row> = { heading: 'FROM', text: (row) => row.id, whole: true };
    const text = formatTable([{ id, amount: '5.00', text: '' }], [columns[1] as Column<Row>, from], {
      columns: 40,
    });
    expect(text.split('\n')).to.deep.equal(['AMOUNT', '  FROM', '  5.00', `  ${id}`]);
  });

  for (const width of [40, 80, 200]) {
    it(`fits ${width} columns, whatever stands in it`, () => {
      fc.assert(
        fc.property(fc.array(anyText, { minLength: 1, maxLength: 5 }), (texts) => {
          const rows = texts.map((text, index) => ({ id, amount: `${10 ** index}.00`, text: visible(text) }));
          for (const line of formatTable(rows, columns, { columns: width }).split('\n')) {
            expect(textWidth(line), line).to.be.at.most(width);
          }
          expect(formatTable(rows, columns, { columns: width }).split(id)).to.have.length(texts.length + 1);
        }),
      );
    });
  }

  it('counts wide characters as two and combining marks as none', () => {
    const rows = [
      { id: '日本', amount: '5.00', text: 'x' },
      { id: 'e\u0301', amount: '50.00', text: 'x' },
    ];
    expect(formatTable(rows, columns).split('\n').slice(1)).to.deep.equal([
      '日本    5.00  x',
      'e\u0301      50.00  x',
    ]);
    expect(
      formatTable([{ id: 'a', amount: '1', text: '日本語日本語' }], columns, { columns: 18 }),
    ).to.contain('日本…');
  });
});

describe('fields', () => {
  it('put a value that has no room beside its name, but has below, on a line of its own', () => {
    const id = '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65';
    const fields = [
      ['Order', id],
      ['Path', `/a/path/that/is/longer/than/a/line/of/this/terminal`],
    ] as const;
    expect(formatFields(fields, undefined, 40)).to.equal(
      `Order\n  ${id}\nPath\n  /a/path/that/is/longer/than/a/line/of/this/terminal`,
    );
  });

  it('go on in further lines where a value is longer than its line, between words', () => {
    const fields = [['Description', 'a text that is longer than any line of this terminal']] as const;
    expect(formatFields(fields, undefined, 40).split('\n')).to.deep.equal([
      'Description  a text that is longer than',
      '             any line of this terminal',
    ]);
  });

  for (const width of [20, 40, 80]) {
    it(`fit ${width} columns with any prose, none of it lost`, () => {
      fc.assert(
        fc.property(anyText, (text) => {
          const shown = formatFields([['Description', visible(text), 'prose']], undefined, width);
          for (const line of shown.split('\n')) expect(textWidth(line), line).to.be.at.most(width);
          const withoutBlanks = (some: string) => some.replaceAll(/\s/g, '');
          expect(withoutBlanks(shown)).to.equal(withoutBlanks(`Description${visible(text)}`));
        }),
      );
    });
  }

  it('stand as two columns, without those that are undefined', () => {
    const text = formatFields([
      ['Order', '1'],
      ['Settled', undefined],
      ['Amount', '5.00'],
    ]);
    expect(text).to.equal('Order   1\nAmount  5.00');
  });
});
