import { describe, expect, it } from 'vitest';
import { isVersion } from '../../src/domain/target.js';

describe('versions are numbers between dots', () => {
  it.each(['12.7', '11.10', '12.7.0', '100.0.1'])('%s is a version', (text) => expect(isVersion(text)).toBe(true));
  it.each(['12', '12.', '12.7.0.1', 'v12.7', '12.7-rc1', '', 'latest', '1e3.0'])('%s is not a version', (text) =>
    expect(isVersion(text)).toBe(false),
  );
});
