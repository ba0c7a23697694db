import { expect } from 'chai';
import fc from 'fast-check';
import { amountMax, formatAmount, parseAmount } from '../../../src/platform/money.ts';
import { amounts } from '../../support/arbitraries.ts';

describe('money', () => {
  it('reads back every amount it writes', () => {
    fc.assert(fc.property(amounts, (amount) => parseAmount(formatAmount(amount)) === amount));
  });

  it('writes every sum with exactly two decimals, exactly', () => {
    fc.assert(
      fc.property(fc.bigInt(), (minorUnits) => {
        const text = formatAmount(minorUnits);
        return /^-?(0|[1-9]\d*)\.\d{2}$/.test(text) && BigInt(text.replace('.', '')) === minorUnits;
      }),
    );
  });

  for (const [text, amount] of [
    ['0.01', 1n],
    ['1', 100n],
    ['49.9', 4990n],
    ['49.90', 4990n],
    ['0.1', 10n],
    ['1000000000', amountMax],
    ['1000000000.00', amountMax],
  ] as const) {
    it(`reads ${text}`, () => {
      expect(parseAmount(text)).to.equal(amount);
    });
  }

  const refused = [
    ...['', ' ', '0', '0.00', '-1', '+1', '-0.01', '0.001', '1.000', '1e3', '1E3', '1,5', '1.', '.5', '01'],
    ...['00.10', ' 1', '1 ', '1\n', '0x10', '١', 'NaN', 'Infinity', 'null', 'true', '1_000', '1000000000.01'],
    ...['10000000000', '1000000000000000', '9'.repeat(400)],
  ];
  it('refuses what is no decimal from 0.01 to 1,000,000,000.00 with at most two decimals', () => {
    for (const text of refused) expect(parseAmount(text), JSON.stringify(text)).to.equal(undefined);
  });

  it('never reads anything else than a decimal', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const amount = parseAmount(text);
        return amount === undefined || /^\d+(\.\d{1,2})?$/.test(text);
      }),
    );
  });
});
