import { describe, expect, it } from 'vitest';
import { archiveAddress, deb822Addresses, oneLineAddresses } from './mirror.js';

describe('the mirror', () => {
  it.each([
    ['https://mirror.example/debian/', 'https://mirror.example/debian'],
    [
      'http://snapshot.example/archive/debian/20250520T000000Z',
      'http://snapshot.example/archive/debian/20250520T000000Z',
    ],
    ['https://mirror.example/debian-security', undefined],
    ['https://packages.example/node', undefined],
  ])('of %s is %s', (address, archive) => {
    expect(archiveAddress(address)).toBe(archive);
  });

  it('is found in enabled deb822 sources with binary packages', () => {
    const text = [
      'Types: deb deb-src\n# a comment\nURIs: http://a.example/debian\n http://b.example/debian\nSuites: sid\n',
      'Types: deb-src\nURIs: http://c.example/debian\n',
      'Enabled: no\nTypes: deb\nURIs: http://d.example/debian\n',
    ].join('\n');
    expect(deb822Addresses(text)).toEqual(['http://a.example/debian', 'http://b.example/debian']);
  });

  it('is found in one-line sources', () => {
    const text =
      '# deb http://a.example/debian x\ndeb [arch=amd64 signed-by=/k] http://b.example/debian sid main\ndeb-src http://c.example/debian sid\n';
    expect(oneLineAddresses(text)).toEqual(['http://b.example/debian']);
  });
});
