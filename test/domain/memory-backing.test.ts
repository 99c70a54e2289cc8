import { expect, it } from 'vitest';
import { hugePagesOf } from '../../src/domain/memory-backing.js';
import { parseXml } from '../../src/xml/document.js';

it.each([
  ['', undefined],
  ['<memoryBacking/>', undefined],
  ['<memoryBacking><hugepages/></memoryBacking>', 'on'],
  ["<memoryBacking><hugepages><page size='2' unit='M'/></hugepages></memoryBacking>", 2048],
  ["<memoryBacking><hugepages><page size='64'/></hugepages></memoryBacking>", 64],
  ["<memoryBacking><hugepages><page size='64' nodeset='0'/></hugepages></memoryBacking>", 'several'],
  ["<memoryBacking><hugepages><page size='64'/><page size='2048'/></hugepages></memoryBacking>", 'several'],
  ["<memoryBacking><hugepages><page size='many'/></hugepages></memoryBacking>", 'several'],
  ["<memoryBacking><hugepages><other size='64'/></hugepages></memoryBacking>", 'several'],
  ["<memoryBacking><hugepages x='1'/></memoryBacking>", 'several'],
])('the huge pages of %s are %s', (content, expected) => {
  expect(hugePagesOf(parseXml(`<domain>${content}</domain>`).root)).toBe(expected);
});
