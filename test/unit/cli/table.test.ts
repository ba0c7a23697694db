import { expect } from 'chai';
import fc from 'fast-check';
import { type Column, formatFields, formatTable } from '../../../src/cli/terminal/table.ts';
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

describe('fields', () => {
  it('stand as two columns, without those that are undefined', () => {
    const text = formatFields([
      ['Order', '1'],
      ['Settled', undefined],
      ['Amount', '5.00'],
    ]);
    expect(text).to.equal('Order   1\nAmount  5.00');
  });
});
