import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, type Run, vsmmu } from './cli/run.js';

const EXAMPLE = 'samples/library/place.mjs';

function example(...args: readonly string[]): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [EXAMPLE, ...args], {
    cwd: REPOSITORY,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

describe('the library’s example', () => {
  it('has the same result as the command line', () => {
    const domain = 'samples/domains/gh200-vm.xml';
    const host = 'samples/hosts/gh200.json';
    const { code, stdout, stderr } = example(domain, host);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: vsmmu(['rewrite', '--spare-ports', '1', '--topology', host, domain]).stdout,
    });
    expect(stderr).toMatch(/^note: acceleration-cost: /m);
  });

  it('removes elements that an earlier run added for a removed device, as the command line does', () => {
    const host = 'samples/hosts/gb200.json';
    const domain = 'test/golden/orphaned-cells/domain.xml';
    const { code, stdout, stderr } = example(domain, host);
    expect(stderr).toContain('orphaned-removed');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: vsmmu(['rewrite', '--spare-ports', '1', '--topology', host, domain]).stdout,
    });
  });

  it('reports errors of a domain, a host or their combination', () => {
    const { code, stdout, stderr } = example('samples/domains/gh200-vm.xml', 'samples/hosts/x86.json');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/code: '(device-missing|host-without-smmu)'/);
    expect(example('samples/policies/careful.json', 'samples/hosts/gh200.json').stderr).toMatch(/code: 'xml-syntax'/);
  });

  it('is shown in the README', () => {
    const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');
    expect(readme).toContain(`\`\`\`js\n${readFileSync(join(REPOSITORY, EXAMPLE), 'utf8')}\`\`\`\n`);
  });
});
