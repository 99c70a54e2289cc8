import { describe, expect, it } from 'vitest';
import { isVersion, libvirtOfVersion, qemuOfVersion } from '../../src/domain/target.js';
import { VSMMU_ATTRIBUTES } from '../../src/domain/vsmmu-attributes.js';

describe('versions are numbers between dots', () => {
  it.each([
    '12.7',
    '11.10',
    '12.7.0',
    '100.0.1',
    '11.9.0+nvidia4',
    '12.4.0+nvidia-stable1-1',
    '10.1.0+nvidia1egmfix-1',
  ])('%s is a version', (text) => expect(isVersion(text)).toBe(true));
  it.each(['12', '12.', '12.7.0.1', 'v12.7', '12.7-rc1', '', 'latest', '1e3.0', '11.9.0+dfsg', '11.9.0+nvidia 4'])(
    '%s is not a version',
    (text) => expect(isVersion(text)).toBe(false),
  );
});

describe("NVIDIA's packages", () => {
  it.each([
    ['11.9.0+nvidia4', 'pasid', false],
    ['11.10.0+nvidia1-1', 'pasid', false],
    ['12.4.0+nvidia-stable1-1', 'camelCase', true],
    ['12.7.0', 'upstream', true],
  ])('libvirt %s writes the attributes as %s', (version, dialect, domainIommufd) => {
    const libvirt = libvirtOfVersion(version);
    expect(libvirt).toMatchObject({ dialect, deviceIommufd: true, domainIommufd });
    expect([...libvirt.vsmmu]).toEqual(VSMMU_ATTRIBUTES);
  });

  it('QEMU 10.1.0+nvidia1 has every attribute, and 10.1.0 none', () => {
    expect([...qemuOfVersion('10.1.0+nvidia1').vsmmu]).toEqual(VSMMU_ATTRIBUTES);
    expect([...qemuOfVersion('10.1.0').vsmmu]).toEqual([]);
  });
});
