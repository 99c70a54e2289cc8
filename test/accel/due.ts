/** Says whether CI runs `test:accel`, and why: exit code 0 for yes. */
import { partsAreMade } from './parts.js';
import { isProven } from './stamp.js';

if (partsAreMade()) {
  process.stdout.write("acceleration: the emulated host's kernel and disk are there\n");
} else if (!isProven()) {
  process.stdout.write(
    'acceleration: what it covers has changed since the last run that passed (test/accel/proven.json)\n',
  );
} else {
  process.stdout.write(
    'not run: the emulated host is not made yet on this machine, and what it covers is what the last run that passed had; npm run test:accel makes it\n',
  );
  process.exitCode = 1;
}
