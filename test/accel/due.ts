/** Decides whether CI runs `test:accel`, and prints the reason. Exit code 0: it runs. */
import { partsAreMade } from './parts.js';
import { isProven } from './stamp.js';

if (partsAreMade()) {
  process.stdout.write("acceleration: the emulated host's kernel and disk exist\n");
} else if (!isProven()) {
  process.stdout.write(
    'acceleration: the sources have changed since the last run that passed (test/accel/proven.json)\n',
  );
} else {
  process.stdout.write(
    'not run: this computer has no emulated host yet, and the sources have not changed since the last run that passed; npm run test:accel makes the host\n',
  );
  process.exitCode = 1;
}
