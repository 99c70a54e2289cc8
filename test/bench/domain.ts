import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../../bin/build/repository.js';

/** The fixture without the device that cannot be assigned, so that the converted domain is valid. */
export function soundDomain(): string {
  const fixture = readFileSync(join(REPOSITORY, 'test/fixtures/domain-a.xml'), 'utf8');
  return fixture.replace(/<hostdev (?:(?!<\/hostdev>)[\s\S])*bus='0x00' slot='0x10'[\s\S]*?<\/hostdev>/, '');
}
