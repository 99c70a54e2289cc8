import { describe, expect, it } from 'vitest';
import { maskSecrets } from '../../src/domain/secrets.js';

const QEMU = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";

describe('a printed domain', () => {
  it.each<[what: string, xml: string, shown: string]>([
    ['passwd of graphics', `<graphics passwd='x&amp;y'/>`, `<graphics passwd='***'/>`],
    ['passwd of graphics in double quotes', `<graphics passwd="x'y"/>`, `<graphics passwd="***"/>`],
    ['a cookie', `<cookie name='id'>abc</cookie>`, `<cookie name='id'>***</cookie>`],
    ['a cookie in CDATA', `<cookie><![CDATA[abc]]></cookie>`, `<cookie>***</cookie>`],
    ['a variable named like a secret', `<qemu:env name='TOKEN' value='abc'/>`, `<qemu:env name='TOKEN' value='***'/>`],
    [
      'the data of a secret object',
      `<qemu:arg value='secret,id=s,data=a,,b,format=raw'/>`,
      `<qemu:arg value='secret,id=s,data=***,format=raw'/>`,
    ],
    [
      'the same in JSON',
      `<qemu:arg value='{"qom-type":"secret","id":"s","data":"abc"}'/>`,
      `<qemu:arg value='{"qom-type":"secret","id":"s","data":"***"}'/>`,
    ],
    [
      'the same with entities',
      `<qemu:arg value="{&quot;qom-type&quot;:&quot;secret&quot;,&quot;data&quot;:&quot;abc&quot;}"/>`,
      `<qemu:arg value="{&quot;qom-type&quot;:&quot;secret&quot;,&quot;data&quot;:&quot;***&quot;}"/>`,
    ],
    ['a password in an option', `<qemu:arg value='x,password=abc,y=1'/>`, `<qemu:arg value='x,password=***,y=1'/>`],
    [
      'the argument after an option named like a secret',
      `<qemu:arg value='-password'/><qemu:arg value='abc'/>`,
      `<qemu:arg value='-password'/><qemu:arg value='***'/>`,
    ],
    [
      'a systemd credential',
      `<entry>io.systemd.credential:vmm.notify=abc</entry>`,
      `<entry>io.systemd.credential:vmm.notify=***</entry>`,
    ],
    ['an SMBIOS entry named like a secret', `<entry name='password'>abc</entry>`, `<entry name='password'>***</entry>`],
    ['an element that is commented out', `<!-- <x passwd='abc'/> -->`, `<!-- <x passwd='***'/> -->`],
    [
      'a cookie that is commented out',
      `<!-- <cookie name='id'>abc</cookie> -->`,
      `<!-- <cookie name='id'>***</cookie> -->`,
    ],
  ])('has %s masked', (_, xml, shown) => {
    expect(maskSecrets(`<d ${QEMU}>${xml}</d>`)).toBe(`<d ${QEMU}>${shown}</d>`);
  });

  it('has the same lines, also if a secret spans several', () => {
    expect(maskSecrets(`<d><x passwd='a\nb'/>\n</d>`)).toBe(`<d><x passwd='***\n'/>\n</d>`);
  });

  it('keeps values that are not secrets', () => {
    const xml = `<d ${QEMU}><qemu:env name='LANG' value='C'/><qemu:arg value='-device'/><qemu:arg value='a,id=b'/><auth username='me'><secret type='ceph' usage='u'/></auth><title>io.systemd.credential:x=b</title><entry>a=b<x>password=c</x></entry></d>`;
    expect(maskSecrets(xml)).toBe(xml);
  });
});
