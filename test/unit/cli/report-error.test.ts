import { expect } from 'chai';
import { exitCodes } from '../../../src/cli/exit-codes.ts';
import { GatewayProblem } from '../../../src/cli/gateway/gateway-problem.ts';
import { ExitWith, reportError } from '../../../src/cli/report-error.ts';
import { CodedError, type ErrorCode, errorCatalogue } from '../../../src/platform/errors.ts';

describe('an error that ends a command', () => {
  const report = (error: unknown, options: { json?: boolean; debug?: boolean } = {}) => {
    let text = '';
    const stderr = { write: (part: string) => (text += part) };
    const exitCode = reportError(error, { json: false, debug: false, ...options, stderr });
    return { exitCode, text };
  };

  it('has for every code of the catalogue an exit code that the help explains', () => {
    for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
      const { exitCode, text } = report(new CodedError(code, 'Do this.'));
      expect(exitCode).to.equal(errorCatalogue[code].exit);
      expect(exitCodes).to.have.property(String(exitCode));
      expect(text).to.equal('tillbox: Do this.\n');
    }
  });

  it('of a gateway is one harmless line, and in JSON the document as it came', () => {
    const problem = {
      code: 'account-not-found',
      detail: 'No\nsuch \u001b[2Jaccount',
      request_id: 'r',
      extra: [1],
    };
    const error = new GatewayProblem(404, problem);
    expect(report(error)).to.deep.equal({ exitCode: 5, text: 'tillbox: No\\u{a}such \\u{1b}[2Jaccount\n' });
    expect(JSON.parse(report(error, { json: true }).text)).to.deep.equal(problem);
  });

  it('that nobody foresaw exits 1 and shows no stack trace, unless asked', () => {
    const { exitCode, text } = report(new TypeError('x is not a function'));
    expect(exitCode).to.equal(1);
    expect(text)
      .to.contain('x is not a function')
      .and.not.to.match(/\n\s+at /);
    expect(report(new TypeError('x'), { debug: true }).text).to.match(/\n\s+at /);
  });

  it('may be nothing but an exit code', () => {
    expect(report(new ExitWith(3))).to.deep.equal({ exitCode: 3, text: '' });
    expect(report(Object.assign(new Error(), { name: 'ExitPromptError' }))).to.deep.equal({
      exitCode: 130,
      text: '',
    });
  });
});
