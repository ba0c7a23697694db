import { expect } from 'chai';
import fc from 'fast-check';
import {
  amountArgument,
  descriptionArgument,
  idempotencyKeyArgument,
  orderIdArgument,
  readArgument,
  userArgument,
} from '../../../src/cli/arguments.ts';
import { waitArgument } from '../../../src/cli/create-order.ts';
import { limitArgument } from '../../../src/cli/gateway/pages.ts';
import { CodedError } from '../../../src/platform/errors.ts';

describe('an argument', () => {
  it('that is an amount becomes a decimal string with two decimals', () => {
    expect(
      ['1', '49.9', '0.01', '1000000000'].map((text) => readArgument(amountArgument, text)),
    ).to.deep.equal(['1.00', '49.90', '0.01', '1000000000.00']);
  });

  it('that breaks its rule is refused by name, with the rule, and exit code 2', () => {
    for (const text of ['0', '-1', '0.001', '1e3', '1,5', 'null', '', ' 1', '1000000000000000', '٣']) {
      const refusal = refusalOf(() => readArgument(amountArgument, text));
      expect(refusal.exitCode, text).to.equal(2);
      expect(refusal.fields).to.deep.equal([{ field: 'amount', message: amountArgument.rule }]);
      expect(refusal.message).to.contain(amountArgument.rule);
    }
  });

  it('is quoted harmlessly and briefly when it is refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 65, maxLength: 2_000 }), (text) => {
        const { message } = refusalOf(() => readArgument(userArgument, text));
        expect(message).not.to.match(/[\p{Cc}\p{Bidi_Control}]|\p{Surrogate}/u);
        expect(message.length).to.be.below(1_200);
      }),
    );
  });

  it('that is a description has up to 500 characters, as a reader counts them', () => {
    expect(descriptionArgument.read('🎫'.repeat(500))).to.have.length(1_000);
    expect(descriptionArgument.read('🎫'.repeat(501))).to.equal(undefined);
    expect(descriptionArgument.read('a\ud800')).to.equal(undefined);
    expect(descriptionArgument.read('')).to.equal('');
  });

  it('that is an order id may be in capitals', () => {
    expect(orderIdArgument.read('0199F0A4-5F6B-7C3E-9D2A-3B1F0C8E7D65')).to.equal(
      '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65',
    );
    expect(orderIdArgument.read('4711')).to.equal(undefined);
  });

  it('that is a number of seconds or rows is whole and within its range', () => {
    expect(['0', '30', '86400', '86401', '1.5', '-1', '1e3', '', ' 1'].map(waitArgument.read)).to.deep.equal([
      ...[0, 30, 86_400],
      ...Array(6).fill(undefined),
    ]);
    expect(['1', '10000', '0', '10001', '01', 'x'].map(limitArgument.read)).to.deep.equal([
      ...[1, 10_000],
      ...Array(4).fill(undefined),
    ]);
  });

  it('that is a key has 1 to 255 visible ASCII characters', () => {
    expect(idempotencyKeyArgument.read('!~')).to.equal('!~');
    for (const text of ['', 'a b', 'ü', 'x'.repeat(256)]) {
      expect(idempotencyKeyArgument.read(text)).to.equal(undefined);
    }
  });
});

function refusalOf(action: () => unknown): CodedError {
  try {
    action();
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}
