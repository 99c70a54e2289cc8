import { describe, expect, it } from 'vitest';
import { wrapIoError, wrapIoErrorAsync } from '../../src/batch/wrap-io-error.js';
import { stateUnwritable } from '../../src/diagnostics/batch.js';

describe('an error during a file operation', () => {
  it('names the file if it is a system error', async () => {
    const error = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const found = { code: 'state-unwritable', file: 'x', message: 'no space left on device' };
    const expected = expect.objectContaining({ diagnostics: [expect.objectContaining(found)] });
    const fail = () => {
      throw error;
    };
    expect(() => wrapIoError(stateUnwritable, 'x', fail)).toThrow(expected);
    await expect(wrapIoErrorAsync(stateUnwritable, 'x', async () => fail())).rejects.toEqual(expected);
  });

  it.each([new TypeError('a fault of the program'), { code: 'no error' }])(
    'stays unchanged if it is another error: %s',
    (error) => {
      const fail = () => {
        throw error;
      };
      expect.assertions(1);
      try {
        wrapIoError(stateUnwritable, 'x', fail);
      } catch (thrown) {
        expect(thrown).toBe(error);
      }
    },
  );
});
