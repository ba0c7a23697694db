import { expect } from 'chai';
import { headerIn, ProtocolError, readResponse } from '../../../../src/tools/load/response.ts';

const head = 'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n';
const wholes: Record<string, string> = {
  'a length': `${head}Content-Length: 7\r\n\r\n{"a":1}`,
  'no body': `${head}content-length: 0\r\n\r\n`,
  'no content by its status': 'HTTP/1.1 204 No Content\r\nx: y\r\n\r\n',
  chunks: `${head}transfer-encoding: chunked\r\n\r\n4;x=y\r\n{"a"\r\n3\r\n:1}\r\n0\r\nTrailer: z\r\n\r\n`,
  'an answer before the answer': `HTTP/1.1 100 Continue\r\n\r\n${head}content-length: 2\r\n\r\n{}`,
};

function read(text: string, ended = false) {
  return readResponse(Buffer.from(text, 'latin1'), ended);
}

describe('load: the reader of answers', () => {
  for (const [name, whole] of Object.entries(wholes)) {
    it(`reads ${name}, wherever the packets are cut`, () => {
      for (let cut = 0; cut < whole.length; cut += 1) {
        expect(read(whole.slice(0, cut)), `cut at ${cut}`).to.equal(undefined);
      }
      expect(read(whole)?.reusable).to.equal(true);
    });
  }

  it('gives status and body, of a length and of chunks alike', () => {
    for (const name of ['a length', 'chunks']) {
      const response = read(wholes[name] ?? '');
      expect(response?.status).to.equal(201);
      expect(response?.body.toString()).to.equal('{"a":1}');
    }
    expect(read(wholes['an answer before the answer'] ?? '')?.status).to.equal(201);
  });

  it('reads an answer without a length to the end of the connection, which is not used again', () => {
    expect(read(`${head}\r\n{"a"`)).to.equal(undefined);
    const response = read(`${head}\r\n{"a":1}`, true);
    expect(response?.body.toString()).to.equal('{"a":1}');
    expect(response?.reusable).to.equal(false);
  });

  it('takes an answer with a length that ends too soon for incomplete', () => {
    expect(read(`${head}content-length: 7\r\n\r\n{"a"`, true)).to.equal(undefined);
  });

  it('does not use a connection again that the server closes', () => {
    expect(read(`${head}Connection: close\r\ncontent-length: 0\r\n\r\n`)?.reusable).to.equal(false);
    expect(read('HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n')?.reusable).to.equal(false);
  });

  for (const [name, text] of Object.entries({
    'what is no HTTP': 'SSH-2.0-OpenSSH\r\n\r\n',
    'bytes behind the end': `${wholes['a length']}HTTP`,
    'bytes behind the last chunk': `${wholes['chunks']}x`,
    'a chunk without a size': `${head}transfer-encoding: chunked\r\n\r\nhello\r\n`,
    'a chunk longer than it says': `${head}transfer-encoding: chunked\r\n\r\n1\r\nabc\r\n`,
    'a body without measure': `${head}content-length: 99999999999\r\n\r\n`,
    'a head without end': `HTTP/1.1 200 OK\r\n${'x'.repeat(20_000)}`,
  })) {
    it(`refuses ${name}`, () => {
      expect(() => read(text)).to.throw(ProtocolError);
    });
  }

  it('finds a header whatever its case, and not in the name of another', () => {
    const text = 'HTTP/1.1 503 x\r\nx-retry-after: 9\r\nRetry-After:  2 \r\ny: z';
    expect(headerIn(text, 'retry-after')).to.equal('2');
    expect(headerIn(text, 'after')).to.equal(undefined);
  });
});
