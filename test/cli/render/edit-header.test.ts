import { describe, expect, it } from 'vitest';
import { withHeader, withoutHeader } from '../../../src/cli/render/edit-header.js';

describe('the comment of vsmmu edit', () => {
  it('is only removed from the top of a document, and only if it ends', () => {
    const text = withHeader('<?xml version="1.0"?>\n<domain/>\n', []);
    expect(withoutHeader(text)).toBe('<?xml version="1.0"?>\n<domain/>\n');
    expect(withoutHeader(text.replace('-->', ''))).toBe(text.replace('-->', ''));
    expect(withoutHeader(text.replaceAll('\n', '\r\n'))).toBe('<?xml version="1.0"?>\r\n<domain/>\r\n');
    const inside = `<domain>${text.slice(22)}`;
    expect(withoutHeader(inside)).toBe(inside);
  });
});
